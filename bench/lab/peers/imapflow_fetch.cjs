// imapflow: all mails by one fetch, kept by nobody.
const fs = require("fs");
const { ImapFlow } = require("imapflow");

async function main() {
  const started = performance.now();
  const client = new ImapFlow({
    host: "localhost",
    port: Number(process.env.PORT),
    secure: true,
    tls: { ca: fs.readFileSync(process.env.CAFILE) },
    auth: { user: process.env.ADDRESS, pass: process.env.PASSWORD },
    logger: false,
  });
  await client.connect();
  await client.mailboxOpen("INBOX", { readOnly: true });
  let mails = 0;
  let bytes = 0;
  for await (const mail of client.fetch("1:*", { uid: true, flags: true, internalDate: true, source: true })) {
    mails += 1;
    bytes += mail.source.length;
  }
  const seconds = (performance.now() - started) / 1000;
  await client.logout();
  console.log(JSON.stringify({ seconds, mails, bytes }));
}

main();
