<?php
// phpmailer.php PORT CA ID FROM TO TEXT FILE
foreach (['Exception', 'SMTP', 'PHPMailer'] as $f)
	require "/usr/share/php/libphp-phpmailer/src/$f.php";
list(, $port, $ca, $id, $from, $to, $text, $file) = $argv;
$mail = new PHPMailer\PHPMailer\PHPMailer(true);
$mail->isSMTP();
$mail->Host = 'localhost';
$mail->Port = $port;
$mail->SMTPAuth = true;
$mail->Username = 'app';
$mail->Password = 'app-secret';
$mail->SMTPSecure = PHPMailer\PHPMailer\PHPMailer::ENCRYPTION_STARTTLS;
$mail->SMTPOptions = ['ssl' => ['cafile' => $ca]];
$mail->CharSet = 'utf-8';
$mail->setFrom($from);
$mail->addAddress($to);
$mail->Subject = "interop $id";
$mail->Body = file_get_contents($text);
$mail->addAttachment($file);
$mail->send();
