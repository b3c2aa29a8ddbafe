"""The sweep report: a page, report.html, that needs nothing but a browser."""
