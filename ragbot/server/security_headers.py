"""The headers that make a browser careful, for the app and for what gunicorn says by itself."""

from __future__ import annotations

# What is not a page needs nothing; pages (the console, the documentation) bring a policy of their own.
CONTENT_SECURITY_POLICY = "default-src 'none'; frame-ancestors 'none'"

ALWAYS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    # Pages that were allowed by CORS are not held up by this; it stops <img>, <script> and the like.
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    # Answers and sessions belong to one reader. Streams and static files say their own.
    "Cache-Control": "no-store",
}

# Only of this host: what else lives under the domain is not ours to decide.
STRICT_TRANSPORT_SECURITY = "max-age=31536000"
