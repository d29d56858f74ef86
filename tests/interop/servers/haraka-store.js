// A plugin for Haraka: takes mail of those who are logged in (on the plain port, of all) and stores it in files, the envelope in lines above.
const fs = require("fs");

exports.register = function () {
	this.plain = +this.config.get("interop.plain");
};

exports.hook_rcpt = function (next, connection, params) {
	if (params[0].host === "refused.example")
		return next(DENY, "5.1.1 no such user");
	if (connection.local.port !== this.plain && !connection.notes.auth_user)
		return next(DENY, "5.7.1 log in first");
	next(OK);
};

exports.hook_queue = function (next, connection) {
	const name = `@MAIL@/${connection.transaction.uuid}`, out = fs.createWriteStream(name + ".part");
	for (const r of connection.transaction.rcpt_to)
		out.write(`X-Original-To: ${r.address()}\r\n`);
	const cipher = connection.tls.enabled ? connection.tls.cipher.version : "plain";
	out.write(`X-Session: ${cipher}\r\n`);
	connection.transaction.message_stream.pipe(out, { dot_stuffed: true });
	out.on("close", () => {
		fs.renameSync(name + ".part", name + ".eml");
		next(OK);
	});
};

// Those who are logged in may send anywhere: their mail goes out, and gets no further than here.
exports.hook_queue_outbound = exports.hook_queue;
