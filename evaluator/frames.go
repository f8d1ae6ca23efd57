package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// Exit codes besides 0, which is the end of the input.
const (
	codePanic    = 70
	codeProtocol = 76
	codeMemory   = 77
)

// frame is what the asking side sends: a request with what it expects to be read, or the answer to an ask (no request).
type frame struct {
	ID      int64           `json:"id"`
	Request json.RawMessage `json:"request"`
	Tree    *wireTree       `json:"tree"`
}

// ask names what a render wants to know about the tree, all of it in one frame.
type ask struct {
	Stat []string `json:"stat,omitempty"`
	List []string `json:"list,omitempty"`
	Read []string `json:"read,omitempty"`
}

// frames reads in a goroutine of its own, so that the end of the input ends the process even in the middle of an endless evaluation.
type frames struct {
	in  chan *frame
	out io.Writer
}

func newFrames(in io.Reader, out io.Writer) *frames {
	link := &frames{in: make(chan *frame), out: out}
	go link.receive(bufio.NewReaderSize(in, 64<<10))
	return link
}

func (f *frames) receive(in io.Reader) {
	var head [4]byte
	for {
		if _, err := io.ReadFull(in, head[:]); err != nil {
			if errors.Is(err, io.EOF) {
				os.Exit(0)
			}
			protocolError("reading a frame: %v", err)
		}
		body := make([]byte, binary.BigEndian.Uint32(head[:]))
		if _, err := io.ReadFull(in, body); err != nil {
			protocolError("reading a frame: %v", err)
		}
		got := new(frame)
		if err := json.Unmarshal(body, got); err != nil {
			protocolError("a frame is not what was expected: %v", err)
		}
		f.in <- got
	}
}

func (f *frames) next() *frame { return <-f.in }

func (f *frames) send(body []byte) {
	head := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(body)), uint32(len(body)))
	if _, err := f.out.Write(append(head, body...)); err != nil {
		protocolError("writing a frame: %v", err)
	}
}

func (f *frames) ask(id int64, a ask) (*wireTree, error) {
	body, err := json.Marshal(struct {
		ID  int64 `json:"id"`
		Ask ask   `json:"ask"`
	}{id, a})
	if err != nil {
		return nil, err
	}
	f.send(body)
	got := f.next()
	if got.ID != id || got.Request != nil {
		protocolError("frame %d came where the answer to an ask of %d was expected", got.ID, id)
	}
	return got.Tree, nil
}

func protocolError(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "protocol: "+format+"\n", args...)
	os.Exit(codeProtocol)
}
