"""Jobs of a sweep in other processes and on other machines; nothing here loads torch."""
