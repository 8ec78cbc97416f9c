package main

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
)

// settings are what -o says.
type settings struct {
	target target
	folder string
	hard   bool
	flags  uintptr // of mount(2)
}

var mountFlags = map[string]uintptr{
	"ro": syscall.MS_RDONLY, "nosuid": syscall.MS_NOSUID, "nodev": syscall.MS_NODEV,
	"noexec": syscall.MS_NOEXEC, "noatime": syscall.MS_NOATIME, "nodiratime": syscall.MS_NODIRATIME,
}

// Options that change nothing here: defaults of ours, or for programs that read /etc/fstab.
var ignored = map[string]bool{
	"rw": true, "suid": true, "dev": true, "exec": true, "async": true, "atime": true, "relatime": true,
	"hard": true, "nolock": true, "intr": true, "nointr": true, "tcp": true, "fg": true, "bg": true,
	"auto": true, "noauto": true, "user": true, "nouser": true, "defaults": true, "_netdev": true,
	"nofail": true, "sloppy": true, "resvport": true, "cto": true, "acl": true, "noacl": true,
}

// parse reads `SOURCE FOLDER [-sfnvrw] [-o OPTIONS]`, as mount(8) calls it.
func parse(words []string) (settings, error) {
	made := settings{hard: true}
	var places []string
	for position := 0; position < len(words); position++ {
		word := words[position]
		switch {
		case word == "-o":
			position++
			if position == len(words) {
				return made, fmt.Errorf("-o needs options after it")
			}
			if err := made.options(words[position]); err != nil {
				return made, err
			}
		case strings.HasPrefix(word, "-o"):
			if err := made.options(word[2:]); err != nil {
				return made, err
			}
		case word == "-r":
			made.flags |= syscall.MS_RDONLY
		case strings.HasPrefix(word, "-"):
			continue
		default:
			places = append(places, word)
		}
	}
	if len(places) != 2 {
		return made, fmt.Errorf("usage: mount.nfs SERVER:/PATH FOLDER [-o OPTIONS]")
	}
	host, path, found := strings.Cut(places[0], ":/")
	if !found || host == "" {
		return made, fmt.Errorf("%s is not of the form SERVER:/PATH", places[0])
	}
	made.target.host, made.target.path = strings.Trim(host, "[]"), "/"+path
	made.folder = places[1]
	return made, nil
}

func (s *settings) options(text string) error {
	for _, option := range strings.Split(text, ",") {
		name, value, _ := strings.Cut(option, "=")
		if flag, known := mountFlags[name]; known {
			s.flags |= flag
			continue
		}
		if name == "" || ignored[name] || strings.HasPrefix(name, "x-") {
			continue
		}
		if err := s.option(name, value); err != nil {
			return err
		}
	}
	return nil
}

func (s *settings) option(name, value string) error {
	switch name {
	case "soft":
		s.hard = false
	case "vers", "nfsvers":
		if value != "3" && value != "3.0" {
			return fmt.Errorf("%s=%s: only version 3 is spoken here; write vers=3", name, value)
		}
	case "proto", "mountproto":
		if value != "tcp" && value != "tcp6" {
			return fmt.Errorf("%s=%s: only tcp is spoken here", name, value)
		}
	case "sec":
		if value != "sys" {
			return fmt.Errorf("sec=%s: only sys is spoken here", value)
		}
	case "port", "mountport":
		number, err := strconv.Atoi(value)
		if err != nil || number < 1 || number > 65535 {
			return fmt.Errorf("%s=%s is no port", name, value)
		}
		if name == "port" {
			s.target.port = number
		} else {
			s.target.mountPort = number
		}
	case "rsize", "wsize", "timeo", "retrans", "retry", "actimeo", "acregmin", "acregmax",
		"acdirmin", "acdirmax", "lookupcache", "mountvers", "local_lock", "nconnect", "addr", "clientaddr":
		if value == "" {
			return fmt.Errorf("%s needs a value", name)
		}
	default:
		return fmt.Errorf("%s is no option of this mount.nfs", name)
	}
	return nil
}
