"""What validation and test measure, beside what torchmetrics has or instead of it."""
