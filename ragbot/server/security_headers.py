"""Define the security headers of every response, those that gunicorn sends by itself among them."""

from __future__ import annotations

# Only pages (the console, the documentation) need more; they set a policy of their own.
CONTENT_SECURITY_POLICY = "default-src 'none'; frame-ancestors 'none'"

ALWAYS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    # It does not restrict pages that CORS allows; it stops <img>, <script> and the like.
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    # Answers and sessions belong to one reader. Streams and static files set their own.
    "Cache-Control": "no-store",
}

# For this host alone: its subdomains are not ours to decide.
STRICT_TRANSPORT_SECURITY = "max-age=31536000"
