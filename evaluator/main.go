// Command evaluator runs other people's programs (overlays, charts, Jsonnet, Lua, jq) for Homeostat: one request at a time, asked and
// answered in length-prefixed JSON frames on stdin and stdout (docs/evaluator.md). It has no disk, no network and no environment: files come
// from the asking side through the virtual file system of vfs.go. Each evaluator is one file that registers itself in evaluators. What a
// request means to an app, what is cached and how long it may take are not known here.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// evaluators maps the tag of a request to what answers it: raw is the whole request. A file registers its evaluator in init.
var evaluators = map[string]func(ctx context.Context, raw json.RawMessage, files *vfs) (any, error){}

// failure is an error that the asking side shows to a user. Kind says what it is about: the input, something that is valid for the
// original and not supported here, or a limit that was reached.
type failure struct {
	Message string `json:"message"`
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Kind    string `json:"kind"`
}

const (
	kindInput       = "input"
	kindUnsupported = "unsupported"
	kindLimit       = "limit"
)

// maxStack bounds the recursion of a library that does not bound its own; the process dies at once instead of eating a gigabyte.
const maxStack = 128 << 20

func (f *failure) Error() string { return f.Message }

func inputError(file string, line int, format string, args ...any) *failure {
	return &failure{Message: fmt.Sprintf(format, args...), File: file, Line: line, Kind: kindInput}
}

func unsupportedError(file string, format string, args ...any) *failure {
	return &failure{Message: fmt.Sprintf(format, args...), File: file, Kind: kindUnsupported}
}

func limitError(format string, args ...any) *failure {
	return &failure{Message: fmt.Sprintf(format, args...), Kind: kindLimit}
}

func main() {
	memory := flag.Int64("memory-limit", 0, "bytes of memory after which the process ends itself with code 77; 0 is no limit")
	output := flag.Int("output-limit", 0, "bytes that an answer may have; 0 is no limit")
	flag.Parse()
	debug.SetMaxStack(maxStack)
	time.Local = time.UTC // no clock of this machine's place in any output
	runtime.GOMAXPROCS(min(runtime.NumCPU(), 4))
	watch := newWatchdog(*memory)
	link := newFrames(os.Stdin, os.Stdout)
	for {
		in := link.next()
		watch.start()
		broken := answer(link, in, *output)
		watch.stop()
		if broken {
			os.Exit(codePanic)
		}
	}
}

// answer evaluates one request and sends its answer. It says whether a library panicked, which may have left its globals in any state.
func answer(link *frames, in *frame, limit int) (broken bool) {
	files := newVFS(func(a ask) (*wireTree, error) { return link.ask(in.ID, a) })
	files.learn(in.Tree)
	value, err, broken := evaluate(in.Request, files)
	trace, _ := json.Marshal(files.traced())
	var body []byte
	if err == nil {
		body, err = json.Marshal(value)
		if err != nil {
			err = inputError("", 0, "the result cannot be written as JSON: %v", err)
		}
	}
	if err == nil && limit > 0 && len(body) > limit {
		err = limitError("the output has %d bytes, and the limit is %d", len(body), limit)
	}
	key := "ok"
	if err != nil {
		key = "error"
		body, _ = json.Marshal(asFailure(err))
	}
	link.send(fmt.Appendf(nil, `{"id":%d,"%s":%s,"trace":%s}`, in.ID, key, body, trace))
	return broken
}

func asFailure(err error) *failure {
	var f *failure
	if !errors.As(err, &f) {
		f = inputError("", 0, "%s", err.Error())
	}
	f.Message = shorten(f.Message)
	return f
}

// maxMessage keeps the message of a library that nests one error in the other without end readable.
const maxMessage = 4000

// shorten leaves out the middle: what was tried stands at the start of a nested error, what went wrong at its end.
func shorten(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	half := maxMessage / 2
	return strings.ToValidUTF8(message[:half], "") + " […] " + strings.ToValidUTF8(message[len(message)-half:], "")
}

func evaluate(request json.RawMessage, files *vfs) (value any, err error, broken bool) {
	defer func() {
		if caught := recover(); caught != nil {
			value, err, broken = nil, inputError("", 0, "the evaluator failed on this input: %v", caught), true
			fmt.Fprintf(os.Stderr, "panic: %v\n%s", caught, debug.Stack())
		}
	}()
	var tag struct {
		Evaluator string `json:"evaluator"`
	}
	if err := json.Unmarshal(request, &tag); err != nil {
		return nil, inputError("", 0, "the request is not valid: %v", err), false
	}
	run, known := evaluators[tag.Evaluator]
	if !known {
		return nil, unsupportedError("", "there is no evaluator %q", tag.Evaluator), false
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	value, err = run(ctx, request, files)
	return value, err, false
}
