// Package taubyte is what this function uses of Taubyte's ABI: functions of the module "taubyte/sdk".
//
// All take the event's number first and return an error number, 0 if all is well. A string or a slice is
// passed as a pointer and a length, results are written where a pointer says.
package taubyte

import (
	"fmt"
	"unsafe"
)

// Request is the one event of this instance, by its number.
type Request uint32

// Parameter is a parameter of the path, else the first of that name in the query, else empty.
func (r Request) Parameter(name string) (string, error) {
	var size uint32
	if errno := queryValueSize(uint32(r), &size, name); errno != 0 {
		return "", fmt.Errorf("reading the parameter %q: error %d", name, errno)
	}
	if size == 0 {
		return "", nil
	}
	value := make([]byte, size)
	if errno := queryValue(uint32(r), name, unsafe.Pointer(&value[0]), size); errno != 0 {
		return "", fmt.Errorf("reading the parameter %q: error %d", name, errno)
	}
	return string(value), nil
}

// Answer sends the head and the whole body.
func (r Request) Answer(code uint32, contentType string, body []byte) error {
	var count uint32
	for _, errno := range []uint32{
		headerAdd(uint32(r), "content-type", contentType),
		retCode(uint32(r), code),
		write(uint32(r), string(body), &count),
	} {
		if errno != 0 {
			return fmt.Errorf("answering: error %d", errno)
		}
	}
	return nil
}

//go:wasmimport taubyte/sdk getHttpEventQueryValueByNameSize
func queryValueSize(event uint32, size *uint32, name string) uint32

//go:wasmimport taubyte/sdk getHttpEventQueryValueByName
func queryValue(event uint32, name string, value unsafe.Pointer, size uint32) uint32

//go:wasmimport taubyte/sdk eventHttpHeaderAdd
func headerAdd(event uint32, key string, value string) uint32

//go:wasmimport taubyte/sdk eventHttpWrite
func write(event uint32, body string, count *uint32) uint32

//go:wasmimport taubyte/sdk eventHttpRetCode
func retCode(event uint32, code uint32) uint32
