"""The sample mail server: a Japanese mailbox to link, for somebody who has just installed the product.

`python -m fumibako.site.sample --folder DIR` serves IMAP and SMTP submission on 127.0.0.1, both with TLS from the first
byte, and prints one JSON line when both answer. It is a program of its own that `fumibako up` starts: nothing of the
product is imported here, so that the product meets it as it meets any mail host.

Everything lies in DIR:

    account.json      address, password and the two ports (mode 0600); made once, kept for ever
    ca.pem, ca.key    the authority that a client has to trust, and its key (0600)
    server.pem        certificate and key of the servers (0600), renewed when it ends within 30 days
    mail.sqlite       the mailbox

Rules:

1. The mailbox is never generated twice. It is filled in one transaction at the first start; afterwards every UID, flag
   and INTERNALDATE is what the file says, whatever ended the process. A UID is never used again.
2. A mail is in the file before anybody hears of it.
3. The texts (`texts/`) know nothing of MIME; how they become bytes is `compose.py`'s business alone.

pymap speaks IMAP and aiosmtpd SMTP; `imap.py` and `smtp.py` are what they need from us.
"""
