// nodemailer's smtp-server as a provider: smtpserver.js DIR PLAIN STARTTLS IMPLICIT.  Messages go to DIR/mail, their envelope in lines
// above them.
const fs = require("fs");
const { SMTPServer } = require("smtp-server");

const [top, plain, starttls, implicit] = process.argv.slice(2);
fs.mkdirSync(top + "/mail", { recursive: true });
let number = 0;

function refuse(text) {
	const e = new Error(text);
	e.responseCode = 550;
	return e;
}

function serve(port, more) {
	const server = new SMTPServer({
		name: "smtp-server.example",
		cert: fs.readFileSync(top + "/cert.pem"),
		key: fs.readFileSync(top + "/key.pem"),
		size: 100 << 20,
		authMethods: ["PLAIN", "LOGIN", "XOAUTH2"],
		disableReverseLookup: true,
		onAuth(auth, session, done) {
			const ok = auth.username === "account" && (auth.accessToken || auth.password) === "provider-secret";
			done(ok ? null : new Error("no"), ok ? { user: "account" } : undefined);
		},
		onRcptTo(address, session, done) {
			done(address.address.endsWith("@refused.example") ? refuse("5.1.1 no such user") : null);
		},
		onData(stream, session, done) {
			const name = `${top}/mail/${number++}`, out = fs.createWriteStream(name + ".part");
			for (const r of session.envelope.rcptTo)
				out.write(`X-Original-To: ${r.address}\r\n`);
			out.write(`X-Session: ${session.secure ? session.tlsOptions.version || session.tlsOptions.name : "plain"}\r\n`);
			stream.pipe(out);
			out.on("finish", () => {
				fs.renameSync(name + ".part", name + ".eml");
				done(null, "stored");
			});
		},
		...more,
	});
	server.on("error", (e) => console.error(e.message));
	server.listen(+port, "127.0.0.1");
}

serve(plain, { authOptional: true, disabledCommands: ["STARTTLS", "AUTH"] });
serve(starttls, {});
serve(implicit, { secure: true });
