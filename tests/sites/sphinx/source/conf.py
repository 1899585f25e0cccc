project = "Lighthouse"
extensions = ["myst_parser"]
html_theme = "furo"
html_copy_source = False
myst_enable_extensions = [
    *("colon_fence", "deflist", "dollarmath", "strikethrough", "tasklist", "smartquotes", "replacements"),
]
myst_heading_anchors = 4
suppress_warnings = ["myst.xref_missing", "image.not_readable"]
