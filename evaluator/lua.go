package main

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

func init() { evaluators["lua"] = runLua }

// luaStack bounds the values on the stack of a script, which grows with recursion.
const luaStack = 1 << 20

var luaPrograms = newCache[*lua.FunctionProto](512)

// runLua runs a script with the globals obj and actionParams in the virtual machine that Argo CD gives to health checks and resource actions:
// nothing that reaches out of it.
func runLua(ctx context.Context, raw json.RawMessage, _ *vfs) (any, error) {
	var request struct {
		Script   string            `json:"script"`
		Obj      map[string]any    `json:"obj"`
		Params   map[string]string `json:"params"`
		OpenLibs bool              `json:"openLibs"`
	}
	if err := json.Unmarshal(raw, &request); err != nil {
		return nil, err
	}
	proto, err := luaPrograms.get(request.Script, func() (*lua.FunctionProto, error) {
		chunk, err := parse.Parse(strings.NewReader(request.Script), luaChunk)
		if err != nil {
			return nil, err
		}
		return lua.Compile(chunk, luaChunk)
	})
	if err != nil {
		return nil, luaError(err, request.Script)
	}
	l := lua.NewState(lua.Options{SkipOpenLibs: true, RegistryMaxSize: luaStack, RegistryGrowStep: 1024, MinimizeStackMemory: true})
	defer l.Close()
	l.SetContext(ctx)
	openLua(l, request.OpenLibs)
	objects := luaObjects{}
	l.SetGlobal("obj", luaValue(l, request.Obj, objects))
	params := l.CreateTable(0, len(request.Params))
	for name, value := range request.Params {
		params.RawSetString(name, lua.LString(value))
	}
	l.SetGlobal("actionParams", params)
	l.Push(l.NewFunctionFromProto(proto))
	if err := l.PCall(0, lua.MultRet, nil); err != nil {
		return nil, luaError(err, request.Script)
	}
	if l.GetTop() == 0 {
		return nil, nil
	}
	result, err := jsonOfLua(l.Get(-1), objects, map[*lua.LTable]bool{})
	if err != nil {
		return nil, inputError("", 0, "the value that the script returned: %v", err)
	}
	return result, nil
}

const luaChunk = "script"

// openLua opens the libraries of Argo CD's machine (base, table, time and date), with openLibs those of the language that stay inside.
func openLua(l *lua.LState, openLibs bool) {
	libraries := map[string]lua.LGFunction{lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable, lua.OsLibName: lua.OpenOs}
	if openLibs {
		libraries[lua.StringLibName] = lua.OpenString
		libraries[lua.MathLibName] = lua.OpenMath
		libraries[lua.CoroutineLibName] = lua.OpenCoroutine
	}
	for name, open := range libraries {
		l.Push(l.NewFunction(open))
		l.Push(lua.LString(name))
		l.Call(1, 0)
	}
	for _, name := range []string{"dofile", "loadfile", "module", "_printregs"} {
		l.SetGlobal(name, lua.LNil)
	}
	l.SetGlobal("print", l.NewFunction(func(*lua.LState) int { return 0 }))
	whole, _ := l.GetGlobal(lua.OsLibName).(*lua.LTable)
	safe := l.NewTable()
	for _, name := range []string{"time", "date"} {
		safe.RawSetString(name, whole.RawGetString(name))
	}
	if openLibs {
		safe.RawSetString("clock", whole.RawGetString("clock"))
	}
	l.SetGlobal(lua.OsLibName, safe)
	l.SetGlobal("require", l.NewFunction(func(l *lua.LState) int {
		name := l.CheckString(1)
		if _, known := libraries[name]; !known || name == lua.BaseLibName {
			l.RaiseError("module %s not found", name)
		}
		l.Push(l.GetGlobal(name))
		return 1
	}))
}

// luaObjects are the tables that were made of JSON objects: an empty one goes back as {}, which no look at the table itself could tell.
type luaObjects map[*lua.LTable]bool

func luaValue(l *lua.LState, value any, objects luaObjects) lua.LValue {
	switch v := value.(type) {
	case bool:
		return lua.LBool(v)
	case float64:
		return lua.LNumber(v)
	case string:
		return lua.LString(v)
	case []any:
		list := l.CreateTable(len(v), 0)
		for _, item := range v {
			list.Append(luaValue(l, item, objects))
		}
		return list
	case map[string]any:
		table := l.CreateTable(0, len(v))
		objects[table] = true
		for name, item := range v {
			table.RawSetString(name, luaValue(l, item, objects))
		}
		return table
	}
	return lua.LNil
}

var (
	errLuaKeys   = errors.New("a table with keys that are not all strings, or not 1, 2, 3, …, cannot be JSON")
	errLuaNested = errors.New("a table that contains itself cannot be JSON")
)

// jsonOfLua turns a value into JSON by Argo CD's rules: a table whose first key is a number is a list, and so is an empty one that the
// script made itself.
func jsonOfLua(value lua.LValue, objects luaObjects, above map[*lua.LTable]bool) (any, error) {
	switch v := value.(type) {
	case *lua.LNilType:
		return nil, nil
	case lua.LBool:
		return bool(v), nil
	case lua.LNumber:
		return float64(v), nil
	case lua.LString:
		return string(v), nil
	case *lua.LTable:
		if above[v] {
			return nil, errLuaNested
		}
		above[v] = true
		defer delete(above, v)
		first, _ := v.Next(lua.LNil)
		if first.Type() == lua.LTString || (first == lua.LNil && objects[v]) {
			return objectOfLua(v, objects, above)
		}
		return listOfLua(v, objects, above)
	}
	return nil, errors.New("a " + value.Type().String() + " cannot be JSON")
}

func listOfLua(table *lua.LTable, objects luaObjects, above map[*lua.LTable]bool) (any, error) {
	list := []any{}
	for key, value := table.Next(lua.LNil); key != lua.LNil; key, value = table.Next(key) {
		if key != lua.LNumber(len(list)+1) {
			return nil, errLuaKeys
		}
		item, err := jsonOfLua(value, objects, above)
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	return list, nil
}

func objectOfLua(table *lua.LTable, objects luaObjects, above map[*lua.LTable]bool) (any, error) {
	object := map[string]any{}
	for key, value := table.Next(lua.LNil); key != lua.LNil; key, value = table.Next(key) {
		name, ok := key.(lua.LString)
		if !ok {
			return nil, errLuaKeys
		}
		item, err := jsonOfLua(value, objects, above)
		if err != nil {
			return nil, err
		}
		object[string(name)] = item
	}
	return object, nil
}

var luaLine = regexp.MustCompile(`^` + luaChunk + `(?::(\d+):| line:(\d+))`)

// luaError leaves out the stack; the first line says what and where.
func luaError(err error, script string) error {
	message := err.Error()
	var api *lua.ApiError
	if errors.As(err, &api) {
		message = api.Object.String()
	}
	line := 0
	if match := luaLine.FindStringSubmatch(message); match != nil {
		line, _ = strconv.Atoi(orElse(match[1], match[2]))
	}
	if strings.HasPrefix(message, luaChunk+" at EOF") {
		line = 1 + strings.Count(strings.TrimRight(script, "\n"), "\n")
	}
	return inputError("", line, "%s", strings.TrimSpace(message))
}
