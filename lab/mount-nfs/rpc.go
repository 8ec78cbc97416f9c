package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// ONC RPC version 2 over TCP (RFC 5531): calls of many callers over one connection, which is made
// anew when it breaks. A call is repeated until it is answered, as a hard mount does.

const (
	lastFragment  = 1 << 31
	longestReply  = 8 << 20
	dialTimeout   = 10 * time.Second
	longestPause  = 5 * time.Second
	rpcVersion    = 2
	authNone      = 0
	authUnix      = 1
	moreGroups    = 16 // AUTH_UNIX carries no more
	messageCall   = 0
	messageReply  = 1
	replyAccepted = 0
)

// caller is whose rights a call has.
type caller struct {
	uid, gid uint32
	groups   []uint32
}

type client struct {
	address string
	host    string
	hard    bool // repeat for ever
	tries   int  // of a soft call

	mutex      sync.Mutex
	connection net.Conn
	waiting    map[uint32]chan []byte
	next       uint32
	source     func() (net.Conn, error)
}

func newClient(address, host string, hard bool) *client {
	made := &client{address: address, host: host, hard: hard, tries: 3, waiting: map[uint32]chan []byte{}}
	made.next = uint32(time.Now().UnixNano())
	made.source = func() (net.Conn, error) { return dialPrivileged(address) }
	return made
}

// dialPrivileged connects from a port below 1024, which servers ask for by default.
func dialPrivileged(address string) (net.Conn, error) {
	start := 1 + int(time.Now().UnixNano()%300)
	for step := 0; step < 300; step++ {
		port := 700 + (start+step)%300
		dialer := net.Dialer{Timeout: dialTimeout, LocalAddr: &net.TCPAddr{Port: port}}
		connection, err := dialer.Dial("tcp", address)
		if err == nil {
			return connection, nil
		}
		if !isAddressInUse(err) {
			break
		}
	}
	return net.DialTimeout("tcp", address, dialTimeout)
}

// call sends one call and waits for its answer's results.
func (c *client) call(program, version, procedure uint32, who caller, arguments []byte) (*decoder, error) {
	c.mutex.Lock()
	c.next++
	xid := c.next
	c.mutex.Unlock()
	message := c.message(xid, program, version, procedure, who, arguments)
	pause := 50 * time.Millisecond
	for try := 1; ; try++ {
		reply, err := c.exchange(xid, message)
		if err == nil {
			return results(reply)
		}
		if !c.hard && try >= c.tries {
			return nil, err
		}
		time.Sleep(pause)
		pause = min(pause*2, longestPause)
	}
}

func (c *client) message(xid, program, version, procedure uint32, who caller, arguments []byte) []byte {
	made := encoder{data: make([]byte, 4, 128+len(arguments))}
	for _, word := range []uint32{xid, messageCall, rpcVersion, program, version, procedure} {
		made.word(word)
	}
	credential := encoder{}
	credential.word(uint32(time.Now().Unix()))
	credential.text(c.host)
	credential.word(who.uid)
	credential.word(who.gid)
	groups := who.groups[:min(len(who.groups), moreGroups)]
	credential.word(uint32(len(groups)))
	for _, group := range groups {
		credential.word(group)
	}
	made.word(authUnix)
	made.opaque(credential.data)
	made.word(authNone)
	made.word(0)
	made.data = append(made.data, arguments...)
	binary.BigEndian.PutUint32(made.data, lastFragment|uint32(len(made.data)-4))
	return made.data
}

// exchange sends a message over the connection there is, and waits for the answer or its end.
func (c *client) exchange(xid uint32, message []byte) ([]byte, error) {
	answer := make(chan []byte, 1)
	c.mutex.Lock()
	if c.connection == nil {
		connection, err := c.source()
		if err != nil {
			c.mutex.Unlock()
			return nil, err
		}
		c.connection = connection
		go c.receive(connection)
	}
	c.waiting[xid] = answer
	connection := c.connection
	_, err := connection.Write(message)
	c.mutex.Unlock()
	if err != nil {
		c.drop(connection)
	}
	reply, ok := <-answer
	if !ok {
		return nil, fmt.Errorf("the connection to %s broke", c.address)
	}
	return reply, nil
}

// receive hands answers to those who wait, until the connection breaks.
func (c *client) receive(connection net.Conn) {
	reader := bufio.NewReaderSize(connection, 1<<16)
	for {
		record, err := readRecord(reader)
		if err != nil || len(record) < 4 {
			c.drop(connection)
			return
		}
		xid := binary.BigEndian.Uint32(record)
		c.mutex.Lock()
		answer := c.waiting[xid]
		delete(c.waiting, xid)
		c.mutex.Unlock()
		if answer != nil {
			answer <- record
		}
	}
}

// drop ends a connection; everyone who waits for an answer on it asks again.
func (c *client) drop(connection net.Conn) {
	connection.Close()
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.connection != connection {
		return
	}
	c.connection = nil
	for xid, answer := range c.waiting {
		close(answer)
		delete(c.waiting, xid)
	}
}

func readRecord(reader io.Reader) ([]byte, error) {
	var record []byte
	for {
		var mark [4]byte
		if _, err := io.ReadFull(reader, mark[:]); err != nil {
			return nil, err
		}
		length := binary.BigEndian.Uint32(mark[:])
		count := int(length &^ lastFragment)
		if len(record)+count > longestReply {
			return nil, fmt.Errorf("a reply of %d bytes", len(record)+count)
		}
		start := len(record)
		record = append(record, make([]byte, count)...)
		if _, err := io.ReadFull(reader, record[start:]); err != nil {
			return nil, err
		}
		if length&lastFragment != 0 {
			return record, nil
		}
	}
}

// results are what comes after the head of an accepted answer.
func results(record []byte) (*decoder, error) {
	reply := &decoder{data: record}
	reply.word() // xid
	kind, state := reply.word(), reply.word()
	if reply.err != nil || kind != messageReply || state != replyAccepted {
		return nil, fmt.Errorf("the server refused the call (authentication)")
	}
	reply.word()
	reply.opaque()
	if accepted := reply.word(); accepted != 0 || reply.err != nil {
		return nil, fmt.Errorf("the server does not do this call (accept state %d)", accepted)
	}
	return reply, nil
}
