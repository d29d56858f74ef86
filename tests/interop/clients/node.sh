# nodemailer: a message of ours as it is, and one that it composes
# shellcheck shell=bash disable=SC2154
node_have() { npm_have nodemailer; }
node_version() { echo "nodemailer $(npm_version nodemailer)"; }
by_node() { # by_node raw|composed
	NODE_PATH=$stuff/npm/node_modules NODE_EXTRA_CA_CERTS=$ca limit node "$here/clients/nodemailer.js" "$1" "$l587" "$id" "$from" "${to[0]}" "$msg" "$text" "$file"
}
node_rows() {
	send nodemailer "587 STARTTLS" "$1" hard whole by_node raw
	send nodemailer "587 STARTTLS" "$1" hard composed by_node composed
}
