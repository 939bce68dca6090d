"""A mail server's health, read from its own log and from the queries it sends to its DNS server.

The method is that of Musashi, Matsuba and Sugitani (Kumamoto University, 2003 to 2004): the mail
exchange efficiency, accepted mails per SMTP connection, falls when a bot or an error floods the
server; the DNS traffic of the server rises with it; and one client's connections explain both.
"""
