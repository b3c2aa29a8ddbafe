"""Which jobs are stacked: `plan` compares them, `widths` puts networks of one depth together, `describe` says it."""
