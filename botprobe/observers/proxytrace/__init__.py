"""Who is behind a proxy: which connection ordered the mail that a proxy sent.

Whatever a proxy opens, another connection ordered. The order is looked for in captures (both legs)
or in the proxy's own log; no packet is sent.
"""
