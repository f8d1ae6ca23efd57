package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/itchyny/gojq"
)

func init() { evaluators["jq"] = runJq }

var jqPrograms = newCache[*gojq.Code](1024)

// runJq feeds each input through the programs, one's output to the next. There is no environment, no further input and no module.
func runJq(ctx context.Context, raw json.RawMessage, _ *vfs) (any, error) {
	var request struct {
		Programs []string          `json:"programs"`
		Inputs   []json.RawMessage `json:"inputs"`
	}
	if err := json.Unmarshal(raw, &request); err != nil {
		return nil, err
	}
	codes := make([]*gojq.Code, len(request.Programs))
	for i, program := range request.Programs {
		code, err := jqPrograms.get(program, func() (*gojq.Code, error) { return compileJq(program) })
		if err != nil {
			return nil, inputError("", 0, "jq program %q: %v", program, err)
		}
		codes[i] = code
	}
	results := make([]json.RawMessage, len(request.Inputs))
	for i, input := range request.Inputs {
		decoder := json.NewDecoder(bytes.NewReader(input))
		decoder.UseNumber()
		var value any
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		for n, code := range codes {
			var err error
			if value, err = applyJq(ctx, code, value); err != nil {
				return nil, inputError("", 0, "jq program %q: %v", request.Programs[n], err)
			}
		}
		result, err := gojq.Marshal(value)
		if err != nil {
			return nil, err
		}
		results[i] = result
	}
	return results, nil
}

func compileJq(program string) (*gojq.Code, error) {
	query, err := gojq.Parse(program)
	if err != nil {
		return nil, err
	}
	return gojq.Compile(query, gojq.WithEnvironLoader(func() []string { return nil }))
}

// applyJq answers the one output of a program, or its input when there is none.
func applyJq(ctx context.Context, code *gojq.Code, input any) (any, error) {
	outputs := code.RunWithContext(ctx, input)
	first, ok := outputs.Next()
	if !ok {
		return input, nil
	}
	if err, failed := first.(error); failed {
		return nil, withoutValues(err)
	}
	if second, more := outputs.Next(); more {
		if err, failed := second.(error); failed {
			return nil, withoutValues(err)
		}
		return nil, errors.New("it has more than one result")
	}
	return first, nil
}

// withoutValues cuts an error where it begins to quote its input, which may be a secret.
func withoutValues(err error) error {
	var raised gojq.ValueError
	if errors.As(err, &raised) {
		return errors.New("it raised an error of its own")
	}
	message := err.Error()
	if i := strings.IndexAny(message, "{[(\""); i >= 0 {
		message = strings.TrimRight(message[:i], " :") + " …"
	}
	return errors.New(message)
}
