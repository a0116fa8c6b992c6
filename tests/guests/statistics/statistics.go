// Contract: `statistics` answers what a list of numbers comes to, with the package of the Go template.
//
// POST a JSON array of numbers as application/json: 200 {"count":…,"mean":…,"median":…,"sorted":[…],"sum":…},
// with the header x-method: POST and the path in x-path. The query `order=descending` turns the list around.
// Anything else is answered {"error":…}: 405 another method, 415 another content-type, 400 what is no list of
// numbers, an empty one, or an unknown order.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"slices"

	"hello/taubyte"
)

//go:wasmexport statistics
func statistics(event uint32) uint32 {
	request := taubyte.Request(event)
	summary, err := summarise(request)
	var refused refusal
	switch {
	case errors.As(err, &refused):
		err = answer(request, refused.code, map[string]string{"error": refused.reason})
	case err == nil:
		err = answer(request, 200, summary)
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

type summary struct {
	Count  int       `json:"count"`
	Mean   float64   `json:"mean"`
	Median float64   `json:"median"`
	Sorted []float64 `json:"sorted"`
	Sum    float64   `json:"sum"`
}

// refusal is an error of whoever asked.
type refusal struct {
	code   uint32
	reason string
}

func (r refusal) Error() string { return r.reason }

func summarise(request taubyte.Request) (*summary, error) {
	numbers, err := posted(request)
	if err != nil {
		return nil, err
	}
	descending, err := descends(request)
	if err != nil {
		return nil, err
	}

	slices.Sort(numbers)
	count := len(numbers)
	result := &summary{Count: count, Sorted: numbers, Median: (numbers[(count-1)/2] + numbers[count/2]) / 2}
	for _, number := range numbers {
		result.Sum += number
	}
	result.Mean = result.Sum / float64(count)
	if descending {
		slices.Reverse(numbers)
	}
	return result, nil
}

func posted(request taubyte.Request) ([]float64, error) {
	method, err := request.Method()
	if err != nil {
		return nil, err
	}
	if method != "POST" {
		return nil, refusal{405, "only POST"}
	}
	contentType, err := request.Header("content-type")
	if err != nil {
		return nil, err
	}
	if kind, _, err := mime.ParseMediaType(contentType); err != nil || kind != "application/json" {
		return nil, refusal{415, "the body is not application/json"}
	}
	body, err := io.ReadAll(request)
	if err != nil {
		return nil, err
	}
	var numbers []float64
	if err := json.Unmarshal(body, &numbers); err != nil {
		return nil, refusal{400, err.Error()}
	}
	if len(numbers) == 0 {
		return nil, refusal{400, "there are no numbers"}
	}
	return numbers, nil
}

func descends(request taubyte.Request) (bool, error) {
	order, err := request.Parameter("order")
	if err != nil {
		return false, err
	}
	switch order {
	case "", "ascending":
		return false, nil
	case "descending":
		return true, nil
	default:
		return false, refusal{400, fmt.Sprintf("no order is called %q", order)}
	}
}

func answer(request taubyte.Request, code uint32, value any) error {
	method, err := request.Method()
	if err != nil {
		return err
	}
	path, err := request.Path()
	if err != nil {
		return err
	}
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return errors.Join(
		request.AddHeader("x-method", method),
		request.AddHeader("x-path", path),
		request.Answer(code, "application/json", body))
}

func main() {}
