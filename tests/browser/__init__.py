"""Tests that look at pages the way a user does, in a Chromium without a window."""
