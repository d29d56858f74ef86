# Ruby's mail composes: text and an attachment
# shellcheck shell=bash disable=SC2154
ruby_have() { install ruby-mail; installed ruby-mail; }
ruby_version() { /usr/bin/ruby -e 'require "mail"; puts "Ruby mail #{Mail::VERSION.version}"'; }
by_ruby() {
	limit /usr/bin/ruby - "$l587" "$ca" "$id" "$from" "${to[0]}" "$text" "$file" <<'C'
require "mail"
port, ca, id, who, rcpt, words, path = ARGV
mail = Mail.new do
  from who
  to rcpt
  subject "interop #{id}"
  body File.read(words, encoding: "utf-8")
  add_file path
end
mail.charset = "UTF-8"
mail.delivery_method :smtp, address: "localhost", port: port.to_i, domain: "client.example", user_name: "app", password: "app-secret",
  authentication: :plain, enable_starttls: true, openssl_verify_mode: "peer", ca_file: ca
mail.deliver!
C
}
ruby_rows() { send "Ruby mail" "587 STARTTLS PLAIN" "$1" hard composed by_ruby; }
