"""The sweep report: a page, report.html, that needs nothing but a browser.

`write` puts the page together. Charts: `dots`, `curves`, `values`, `parallel`, with what they share in `series`. Beside
them: `pictures`, `job_table` with `many` for long ones, `failures`, `origin`.
"""
