package main

import (
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// NFS version 3 (RFC 1813) and the MOUNT protocol, as far as a file system needs them.

const (
	programPortmap, programNFS, programMount = 100000, 100003, 100005
	versionPortmap, versionNFS, versionMount = 2, 3, 3
	protocolTCP                              = 6

	procGetattr, procSetattr, procLookup, procAccess, procReadlink = 1, 2, 3, 4, 5
	procRead, procWrite, procCreate, procMkdir, procSymlink        = 6, 7, 8, 9, 10
	procMknod, procRemove, procRmdir, procRename, procLink         = 11, 12, 13, 14, 15
	procReaddirplus, procFsstat, procFsinfo, procCommit            = 17, 18, 19, 21

	typeRegular, typeDirectory, typeBlock, typeCharacter = 1, 2, 3, 4
	typeSymlink, typeSocket, typePipe                    = 5, 6, 7
	createUnchecked, createGuarded                       = 0, 1
	writeUnstable                                        = 0
	timeKeep, timeServer, timeClient                     = 0, 1, 2
)

type handle []byte

type moment struct{ seconds, nanoseconds uint32 }

type attributes struct {
	kind, mode, links, uid, gid uint32
	size, used                  uint64
	major, minor                uint32
	filesystem, number          uint64
	accessed, modified, changed moment
}

// changes are what SETATTR and CREATE set; nil stays as it is.
type changes struct {
	mode, uid, gid     *uint32
	size               *uint64
	accessed, modified *moment
	accessedNow        bool
	modifiedNow        bool
}

// errno is the system's error for a status of NFS; those below 10000 are the same by design.
func errno(status uint32) syscall.Errno {
	switch status {
	case 10001:
		return syscall.ESTALE // a bad handle
	case 10002, 10006, 10007:
		return syscall.EIO // not in step, server fault, bad type
	case 10003:
		return syscall.EINVAL // bad cookie
	case 10004:
		return syscall.ENOTSUP
	case 10005:
		return syscall.EINVAL // too small
	case 10008:
		return syscall.EAGAIN // jukebox: later
	}
	return syscall.Errno(status)
}

func (e *encoder) changes(wanted changes) {
	for _, field := range []*uint32{wanted.mode, wanted.uid, wanted.gid} {
		e.flag(field != nil)
		if field != nil {
			e.word(*field)
		}
	}
	e.flag(wanted.size != nil)
	if wanted.size != nil {
		e.long(*wanted.size)
	}
	e.time(wanted.accessed, wanted.accessedNow)
	e.time(wanted.modified, wanted.modifiedNow)
}

func (e *encoder) time(value *moment, now bool) {
	switch {
	case now:
		e.word(timeServer)
	case value != nil:
		e.word(timeClient)
		e.word(value.seconds)
		e.word(value.nanoseconds)
	default:
		e.word(timeKeep)
	}
}

func (d *decoder) moment() moment { return moment{d.word(), d.word()} }

func (d *decoder) attributes() attributes {
	return attributes{
		kind: d.word(), mode: d.word(), links: d.word(), uid: d.word(), gid: d.word(),
		size: d.long(), used: d.long(), major: d.word(), minor: d.word(),
		filesystem: d.long(), number: d.long(),
		accessed: d.moment(), modified: d.moment(), changed: d.moment(),
	}
}

// maybeAttributes are post_op_attr: there or not.
func (d *decoder) maybeAttributes() *attributes {
	if !d.flag() {
		return nil
	}
	found := d.attributes()
	return &found
}

// skipChange passes wcc_data: attributes before and after an operation.
func (d *decoder) skipChange() *attributes {
	if d.flag() {
		d.take(8 + 8 + 8)
	}
	return d.maybeAttributes()
}

func (d *decoder) handle() handle { return append(handle(nil), d.opaque()...) }

// target is where an export is served.
type target struct {
	host, path               string
	port, mountPort, version int
}

// root mounts an export: its handle, and a client for its server.
func root(where target, hard bool, name string) (*client, handle, error) {
	who := caller{}
	addresses, err := net.LookupHost(where.host)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: no such host", where.host)
	}
	at := func(port int) string { return net.JoinHostPort(addresses[0], strconv.Itoa(port)) }
	if where.mountPort == 0 {
		if where.mountPort, err = portOf(at(111), name, programMount, versionMount); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", where.host, err)
		}
	}
	if where.port == 0 {
		where.port = 2049
	}
	mounter := newClient(at(where.mountPort), name, false)
	arguments := encoder{}
	arguments.text(where.path)
	reply, err := mounter.call(programMount, versionMount, 1, who, arguments.data)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", where.host, err)
	}
	if status := reply.word(); status != 0 {
		return nil, nil, fmt.Errorf("%s:%s: %s by the server", where.host, where.path, errno(status).Error())
	}
	found := reply.handle()
	if reply.err != nil {
		return nil, nil, reply.err
	}
	return newClient(at(where.port), name, hard), found, nil
}

// portOf asks the portmapper where a program is served.
func portOf(address, name string, program, version uint32) (int, error) {
	arguments := encoder{}
	for _, word := range []uint32{program, version, protocolTCP, 0} {
		arguments.word(word)
	}
	reply, err := newClient(address, name, false).call(programPortmap, versionPortmap, 3, caller{}, arguments.data)
	if err != nil {
		return 0, err
	}
	port := reply.word()
	if port == 0 || reply.err != nil {
		return 0, fmt.Errorf("the server does not offer NFS version %d", versionNFS)
	}
	return int(port), nil
}
