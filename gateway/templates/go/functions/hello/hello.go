// GET /api/hello?name=Ada and GET /api/hello/Ada answer {"message": "Hello, Ada"}.
package main

import (
	"encoding/json"

	"hello/taubyte"
)

// The YAML names this function at `call`. The gateway calls it with the event's number, once per instance.
//
//go:wasmexport hello
func hello(event uint32) uint32 {
	request := taubyte.Request(event)
	if err := answer(request); err != nil {
		request.Answer(500, "text/plain", []byte(err.Error()))
		return 1
	}
	return 0
}

func answer(request taubyte.Request) error {
	name, err := request.Parameter("name")
	if err != nil {
		return err
	}
	if name == "" {
		name = "world"
	}
	body, err := json.Marshal(map[string]string{"message": "Hello, " + name})
	if err != nil {
		return err
	}
	return request.Answer(200, "application/json", body)
}

// A module that is called by its exports has no use for it, and Go asks for it.
func main() {}
