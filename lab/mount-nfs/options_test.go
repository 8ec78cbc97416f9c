package main

import (
	"strings"
	"syscall"
	"testing"
)

func TestTheWordsOfMountAreUnderstood(t *testing.T) {
	made, err := parse([]string{"c07-head:/home", "/home", "-v", "-o", "rw,vers=3,hard,nolock,_netdev,ro,x-systemd.automount"})
	if err != nil {
		t.Fatal(err)
	}
	if made.target.host != "c07-head" || made.target.path != "/home" || made.folder != "/home" {
		t.Errorf("%+v", made)
	}
	if !made.hard || made.flags&syscall.MS_RDONLY == 0 {
		t.Errorf("%+v", made)
	}
}

func TestWhatIsNotSpokenIsRefusedWithAHint(t *testing.T) {
	for text, told := range map[string]string{
		"vers=4": "write vers=3", "proto=udp": "only tcp", "sec=krb5": "only sys",
		"port=x": "is no port", "frobnicate": "is no option", "rsize=": "needs a value",
	} {
		_, err := parse([]string{"head:/home", "/home", "-o", text})
		if err == nil || !strings.Contains(err.Error(), told) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, words := range [][]string{{"head:/home"}, {"head", "/home"}, {":/home", "/home"}, {"a:/b", "/c", "-o"}} {
		if _, err := parse(words); err == nil {
			t.Errorf("%v is taken", words)
		}
	}
}

func TestAReplyThatEndsEarlyIsAnErrorAndNoPanic(t *testing.T) {
	whole := encoder{}
	whole.text("abcde")
	whole.long(7)
	for cut := range whole.data {
		reply := decoder{data: whole.data[:cut]}
		reply.text()
		reply.long()
		if reply.err == nil {
			t.Errorf("%d bytes are enough", cut)
		}
	}
	reply := decoder{data: whole.data}
	if reply.text() != "abcde" || reply.long() != 7 || reply.err != nil {
		t.Error("what was written is not what is read")
	}
}

func TestErrorsOfTheServerBecomeThoseOfTheSystem(t *testing.T) {
	for status, wanted := range map[uint32]syscall.Errno{2: syscall.ENOENT, 13: syscall.EACCES, 70: syscall.Errno(70), 10001: syscall.ESTALE, 10004: syscall.ENOTSUP} {
		if errno(status) != wanted {
			t.Errorf("%d is %v", status, errno(status))
		}
	}
}
