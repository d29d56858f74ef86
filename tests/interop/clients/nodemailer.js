// nodemailer.js raw|composed PORT ID FROM TO MESSAGE TEXT FILE
const fs = require("fs");
const [how, port, id, from, to, msg, text, file] = process.argv.slice(2);
const transport = require("nodemailer").createTransport({
	host: "localhost", port: +port, requireTLS: true, name: "client.example", auth: { user: "app", pass: "app-secret" },
});
transport.sendMail(how === "raw" ? { envelope: { from, to: [to] }, raw: fs.readFileSync(msg) } :
	{ from, to, subject: `interop ${id}`, text: fs.readFileSync(text, "utf8"), attachments: [{ path: file }] })
	.then(() => transport.close());
