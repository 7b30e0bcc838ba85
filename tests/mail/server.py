"""A real SMTP server for tests/mail.rs: aiosmtpd, with every letter as a line of JSON on the standard output.

Who is called "refused" is refused for good, who is called "later" for now. With a certificate, nothing is taken before
STARTTLS and a login.
"""

import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused"):
            return "550 5.1.1 nobody of that name"
        if address.startswith("later"):
            return "451 4.3.0 not now"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        part = lambda kind: message.get_body(preferencelist=(kind,)).get_content()
        letter = {
            "to": envelope.rcpt_tos,
            "headers": {name.lower(): str(value) for name, value in message.items()},
            "text": part("plain"),
            "html": part("html"),
            "defects": [str(defect) for part in message.walk() for defect in part.defects],
            "tls": session.ssl is not None,
        }
        print(json.dumps(letter), flush=True)
        return "250 2.0.0 taken"


def login(server, session, envelope, mechanism, data):
    # "handled" would mean that the refusal was sent already.
    return AuthResult(success=(data.login, data.password) == (b"comity", b"hunter2"), handled=False)


async def main(port, certificate=None, key=None):
    options = {"hostname": "mail.example", "enable_SMTPUTF8": True}
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        options |= {"tls_context": context, "require_starttls": True}
        options |= {"auth_required": True, "authenticator": login}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Handler(), **options), "127.0.0.1", int(port))
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
