// send.go PORT MESSAGE FROM TO...: Go's net/smtp
package main

import (
	"log"
	"net/smtp"
	"os"
)

func main() {
	msg, err := os.ReadFile(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	auth := smtp.PlainAuth("", "app", "app-secret", "localhost")
	if err := smtp.SendMail("localhost:"+os.Args[1], auth, os.Args[3], os.Args[4:], msg); err != nil {
		log.Fatal(err)
	}
}
