# PHP: mail(), which calls sendmail, and PHPMailer
# shellcheck shell=bash disable=SC2154
php_have() { install php-cli libphp-phpmailer; installed php-cli; }
php_version() {
	php -n -r 'echo "PHP ", PHP_VERSION, "\n";'
	if installed libphp-phpmailer; then echo "PHPMailer $(dpkg-query -W -f '${Version}' libphp-phpmailer | sed 's/-.*//')"; fi
}
by_php_mail() {
	ln -sf "$gatepost" "$dir/sendmail"
	limit php -n -d sendmail_path="$dir/sendmail -C $dir/gp/gatepost.conf -t -i" -r '
	    list(, $to, $from, $id, $text) = $argv;
	    exit(mail($to, "interop $id", file_get_contents($text),
		"From: $from\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit", "-f$from") ? 0 : 1);' \
	    -- "${to[0]}" "$from" "$id" "$text"
}
by_phpmailer() { limit php "$here/clients/phpmailer.php" "$l587" "$ca" "$id" "$from" "${to[0]}" "$text" "$file"; }
php_rows() {
	send "PHP mail()" "sendmail" "$1" hard text by_php_mail
	if installed libphp-phpmailer; then send PHPMailer "587 STARTTLS" "$1" hard composed by_phpmailer; else skipped+=("PHPMailer: $why"); fi
}
