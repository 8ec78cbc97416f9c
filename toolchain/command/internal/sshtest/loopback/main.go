//go:build !windows

// Command loopback runs one test server for tests that are not written in Go. It prints a line of JSON
// with the port, the host key and the password, and ends when its standard input does.
package main

import (
	"encoding/json"
	"io"
	"log"
	"os"

	"practicum/toolchain/command/internal/sshtest"
)

type owner struct{}

func (owner) Helper()             {}
func (owner) Fatal(reason ...any) { log.Fatal(reason...) }
func (owner) Cleanup(func())      {} // the end of the process ends everything

func main() {
	server := sshtest.Start(owner{})
	line := map[string]any{
		"port": server.Port, "hostKey": server.AuthorizedKey(), "password": server.Password,
	}
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		log.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		log.Fatal(err)
	}
}
