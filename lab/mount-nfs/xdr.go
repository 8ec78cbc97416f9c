package main

import (
	"encoding/binary"
	"errors"
)

// XDR (RFC 4506): big-endian words, texts and opaque data padded to four bytes.

var errShort = errors.New("a reply of the server is too short")

type encoder struct{ data []byte }

func (e *encoder) word(value uint32) { e.data = binary.BigEndian.AppendUint32(e.data, value) }
func (e *encoder) long(value uint64) { e.data = binary.BigEndian.AppendUint64(e.data, value) }

func (e *encoder) flag(value bool) {
	if value {
		e.word(1)
	} else {
		e.word(0)
	}
}

func (e *encoder) opaque(data []byte) {
	e.word(uint32(len(data)))
	e.data = append(e.data, data...)
	for len(e.data)%4 != 0 {
		e.data = append(e.data, 0)
	}
}

func (e *encoder) text(value string) { e.opaque([]byte(value)) }

// decoder reads a reply; the first failure stays, and everything after it is zero.
type decoder struct {
	data []byte
	err  error
}

func (d *decoder) take(count int) []byte {
	if d.err != nil || count < 0 || count > len(d.data) {
		d.err = errShort
		return nil
	}
	taken := d.data[:count]
	d.data = d.data[count:]
	return taken
}

func (d *decoder) word() uint32 {
	if taken := d.take(4); taken != nil {
		return binary.BigEndian.Uint32(taken)
	}
	return 0
}

func (d *decoder) long() uint64 {
	if taken := d.take(8); taken != nil {
		return binary.BigEndian.Uint64(taken)
	}
	return 0
}

func (d *decoder) flag() bool { return d.word() != 0 }

func (d *decoder) opaque() []byte {
	count := int(d.word())
	taken := d.take(count)
	d.take((4 - count%4) % 4)
	return taken
}

func (d *decoder) text() string { return string(d.opaque()) }
