package main

import "syscall"

// export is a mounted export: one method for each procedure of NFS version 3.
type export struct {
	client *client
	root   handle
	chunk  uint32 // bytes of one READ or WRITE
}

// ask calls a procedure; the reply is behind its status, which is an error unless it is 0.
func (x *export) ask(procedure uint32, who caller, arguments *encoder) (*decoder, syscall.Errno) {
	reply, err := x.client.call(programNFS, versionNFS, procedure, who, arguments.data)
	if err != nil {
		return nil, syscall.EIO
	}
	if status := reply.word(); status != 0 {
		return reply, errno(status)
	}
	return reply, 0
}

func done(reply *decoder) syscall.Errno {
	if reply.err != nil {
		return syscall.EIO
	}
	return 0
}

func (x *export) getattr(who caller, of handle) (attributes, syscall.Errno) {
	arguments := &encoder{}
	arguments.opaque(of)
	reply, failed := x.ask(procGetattr, who, arguments)
	if failed != 0 {
		return attributes{}, failed
	}
	found := reply.attributes()
	return found, done(reply)
}

func (x *export) setattr(who caller, of handle, wanted changes) syscall.Errno {
	arguments := &encoder{}
	arguments.opaque(of)
	arguments.changes(wanted)
	arguments.flag(false) // no guard by the time of the last change
	_, failed := x.ask(procSetattr, who, arguments)
	return failed
}

func (x *export) lookup(who caller, in handle, name string) (handle, attributes, syscall.Errno) {
	arguments := &encoder{}
	arguments.opaque(in)
	arguments.text(name)
	reply, failed := x.ask(procLookup, who, arguments)
	if failed != 0 {
		return nil, attributes{}, failed
	}
	found := reply.handle()
	about := reply.maybeAttributes()
	return x.complete(who, found, about, reply)
}

// complete asks for attributes that a server has left out.
func (x *export) complete(who caller, found handle, about *attributes, reply *decoder) (handle, attributes, syscall.Errno) {
	if reply.err != nil {
		return nil, attributes{}, syscall.EIO
	}
	if about != nil {
		return found, *about, 0
	}
	asked, failed := x.getattr(who, found)
	return found, asked, failed
}

func (x *export) access(who caller, of handle, wanted uint32) (uint32, syscall.Errno) {
	arguments := &encoder{}
	arguments.opaque(of)
	arguments.word(wanted)
	reply, failed := x.ask(procAccess, who, arguments)
	if failed != 0 {
		return 0, failed
	}
	reply.maybeAttributes()
	return reply.word(), done(reply)
}

func (x *export) readlink(who caller, of handle) ([]byte, syscall.Errno) {
	arguments := &encoder{}
	arguments.opaque(of)
	reply, failed := x.ask(procReadlink, who, arguments)
	if failed != 0 {
		return nil, failed
	}
	reply.maybeAttributes()
	return reply.opaque(), done(reply)
}

func (x *export) read(who caller, of handle, offset uint64, count uint32) ([]byte, bool, syscall.Errno) {
	arguments := &encoder{}
	arguments.opaque(of)
	arguments.long(offset)
	arguments.word(count)
	reply, failed := x.ask(procRead, who, arguments)
	if failed != 0 {
		return nil, false, failed
	}
	reply.maybeAttributes()
	reply.word() // the count, which the data has as well
	end := reply.flag()
	return reply.opaque(), end, done(reply)
}

func (x *export) write(who caller, of handle, offset uint64, data []byte) (uint32, syscall.Errno) {
	arguments := &encoder{}
	arguments.opaque(of)
	arguments.long(offset)
	arguments.word(uint32(len(data)))
	arguments.word(writeUnstable)
	arguments.opaque(data)
	reply, failed := x.ask(procWrite, who, arguments)
	if failed != 0 {
		return 0, failed
	}
	reply.skipChange()
	return reply.word(), done(reply)
}

func (x *export) commit(who caller, of handle) syscall.Errno {
	arguments := &encoder{}
	arguments.opaque(of)
	arguments.long(0)
	arguments.word(0)
	_, failed := x.ask(procCommit, who, arguments)
	return failed
}

// made reads the answer of CREATE, MKDIR, SYMLINK and MKNOD.
func (x *export) made(who caller, in handle, name string, procedure uint32, arguments *encoder) (handle, attributes, syscall.Errno) {
	reply, failed := x.ask(procedure, who, arguments)
	if failed != 0 {
		return nil, attributes{}, failed
	}
	if !reply.flag() {
		return x.lookup(who, in, name)
	}
	found := reply.handle()
	about := reply.maybeAttributes()
	return x.complete(who, found, about, reply)
}

func place(in handle, name string) *encoder {
	arguments := &encoder{}
	arguments.opaque(in)
	arguments.text(name)
	return arguments
}

func (x *export) create(who caller, in handle, name string, exclusive bool, wanted changes) (handle, attributes, syscall.Errno) {
	arguments := place(in, name)
	if exclusive {
		arguments.word(createGuarded)
	} else {
		arguments.word(createUnchecked)
	}
	arguments.changes(wanted)
	return x.made(who, in, name, procCreate, arguments)
}

func (x *export) mkdir(who caller, in handle, name string, wanted changes) (handle, attributes, syscall.Errno) {
	arguments := place(in, name)
	arguments.changes(wanted)
	return x.made(who, in, name, procMkdir, arguments)
}

func (x *export) symlink(who caller, in handle, name, to string) (handle, attributes, syscall.Errno) {
	arguments := place(in, name)
	arguments.changes(changes{})
	arguments.text(to)
	return x.made(who, in, name, procSymlink, arguments)
}

func (x *export) mknod(who caller, in handle, name string, kind, major, minor uint32, wanted changes) (handle, attributes, syscall.Errno) {
	arguments := place(in, name)
	arguments.word(kind)
	arguments.changes(wanted)
	if kind == typeBlock || kind == typeCharacter {
		arguments.word(major)
		arguments.word(minor)
	}
	return x.made(who, in, name, procMknod, arguments)
}

func (x *export) remove(who caller, in handle, name string) syscall.Errno {
	_, failed := x.ask(procRemove, who, place(in, name))
	return failed
}

func (x *export) rmdir(who caller, in handle, name string) syscall.Errno {
	_, failed := x.ask(procRmdir, who, place(in, name))
	return failed
}

func (x *export) rename(who caller, in handle, name string, to handle, newName string) syscall.Errno {
	arguments := place(in, name)
	arguments.opaque(to)
	arguments.text(newName)
	_, failed := x.ask(procRename, who, arguments)
	return failed
}

func (x *export) link(who caller, of handle, in handle, name string) syscall.Errno {
	arguments := &encoder{}
	arguments.opaque(of)
	arguments.opaque(in)
	arguments.text(name)
	_, failed := x.ask(procLink, who, arguments)
	return failed
}

// entry is one name of a folder.
type entry struct {
	name   string
	number uint64
	kind   uint32
}

// readdir reads a whole folder, piece by piece; a cookie verifier keeps the pieces together.
func (x *export) readdir(who caller, of handle) ([]entry, syscall.Errno) {
	var found []entry
	var cookie uint64
	verifier := make([]byte, 8)
	for {
		arguments := &encoder{}
		arguments.opaque(of)
		arguments.long(cookie)
		arguments.data = append(arguments.data, verifier...)
		arguments.word(1 << 15)
		arguments.word(1 << 16)
		reply, failed := x.ask(procReaddirplus, who, arguments)
		if failed != 0 {
			return nil, failed
		}
		reply.maybeAttributes()
		verifier = append([]byte(nil), reply.take(8)...)
		for reply.flag() {
			one := entry{number: reply.long(), name: reply.text()}
			cookie = reply.long()
			if about := reply.maybeAttributes(); about != nil {
				one.kind = about.kind
			}
			if reply.flag() {
				reply.opaque()
			}
			if one.name != "." && one.name != ".." {
				found = append(found, one)
			}
		}
		if end := reply.flag(); end || reply.err != nil {
			return found, done(reply)
		}
	}
}

// space is what df shows, in bytes and files.
type space struct {
	total, free, available  uint64
	files, freeFiles, avail uint64
}

func (x *export) fsstat(who caller) (space, syscall.Errno) {
	arguments := &encoder{}
	arguments.opaque(x.root)
	reply, failed := x.ask(procFsstat, who, arguments)
	if failed != 0 {
		return space{}, failed
	}
	reply.maybeAttributes()
	found := space{reply.long(), reply.long(), reply.long(), reply.long(), reply.long(), reply.long()}
	return found, done(reply)
}

// fit learns how much the server takes at once.
func (x *export) fit() syscall.Errno {
	arguments := &encoder{}
	arguments.opaque(x.root)
	reply, failed := x.ask(procFsinfo, caller{}, arguments)
	if failed != 0 {
		return failed
	}
	reply.maybeAttributes()
	most, _, _ := reply.word(), reply.word(), reply.word()
	mostWritten := reply.word()
	x.chunk = max(4096, min(most, mostWritten, 1<<20))
	return done(reply)
}
