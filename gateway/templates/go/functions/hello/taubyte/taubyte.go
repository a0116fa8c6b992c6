// Package taubyte is what functions use of Taubyte's ABI: functions of the module "taubyte/sdk".
//
// All take the event's number first and return an error number, 0 if all is well. A string or a slice is
// passed as a pointer and a length, results are written where a pointer says.
package taubyte

import (
	"fmt"
	"io"
	"unsafe"
)

// Request is the one event of this instance, by its number. To read from it is to read the request's body,
// piece by piece as it arrives.
type Request uint32

// Method is that of HTTP, in capitals.
func (r Request) Method() (string, error) {
	return text("the method",
		func(size *uint32) uint32 { return methodSize(uint32(r), size) },
		func(bytes unsafe.Pointer, size uint32) uint32 { return method(uint32(r), bytes, size) })
}

// Path is decoded and without the query.
func (r Request) Path() (string, error) {
	return text("the path",
		func(size *uint32) uint32 { return pathSize(uint32(r), size) },
		func(bytes unsafe.Pointer, size uint32) uint32 { return path(uint32(r), bytes, size) })
}

// Header is the first field of that name, else empty.
func (r Request) Header(name string) (string, error) {
	return text("the header "+name,
		func(size *uint32) uint32 { return headerSize(uint32(r), size, name) },
		func(bytes unsafe.Pointer, size uint32) uint32 { return header(uint32(r), name, bytes, size) })
}

// Parameter is a parameter of the path, else the first of that name in the query, else empty.
func (r Request) Parameter(name string) (string, error) {
	return text("the parameter "+name,
		func(size *uint32) uint32 { return queryValueSize(uint32(r), size, name) },
		func(bytes unsafe.Pointer, size uint32) uint32 { return queryValue(uint32(r), name, bytes, size) })
}

func (r Request) Read(bytes []byte) (int, error) {
	if len(bytes) == 0 {
		return 0, nil
	}
	var count uint32
	errno := readBody(uint32(r), unsafe.Pointer(&bytes[0]), uint32(len(bytes)), &count)
	switch errno {
	case 0:
		return int(count), nil
	case endOfBody: // the last bytes may come with it
		return int(count), io.EOF
	default:
		return int(count), fmt.Errorf("reading the body: error %d", errno)
	}
}

// AddHeader adds a field to the answer.
func (r Request) AddHeader(name, value string) error {
	return failed("adding the header "+name, headerAdd(uint32(r), name, value))
}

// Answer sends the head and the whole body.
func (r Request) Answer(code uint32, contentType string, body []byte) error {
	if err := r.AddHeader("content-type", contentType); err != nil {
		return err
	}
	if err := failed("setting the status", retCode(uint32(r), code)); err != nil {
		return err
	}
	var count uint32
	return failed("answering", write(uint32(r), string(body), &count))
}

const endOfBody = 8

// text asks for the size of something, then for the thing itself.
func text(what string, size func(*uint32) uint32, read func(unsafe.Pointer, uint32) uint32) (string, error) {
	var length uint32
	if err := failed("reading "+what, size(&length)); err != nil || length == 0 {
		return "", err
	}
	bytes := make([]byte, length)
	err := failed("reading "+what, read(unsafe.Pointer(&bytes[0]), length))
	return string(bytes), err
}

func failed(what string, errno uint32) error {
	if errno == 0 {
		return nil
	}
	return fmt.Errorf("%s: error %d", what, errno)
}

//go:wasmimport taubyte/sdk getHttpEventMethodSize
func methodSize(event uint32, size *uint32) uint32

//go:wasmimport taubyte/sdk getHttpEventMethod
func method(event uint32, bytes unsafe.Pointer, size uint32) uint32

//go:wasmimport taubyte/sdk getHttpEventPathSize
func pathSize(event uint32, size *uint32) uint32

//go:wasmimport taubyte/sdk getHttpEventPath
func path(event uint32, bytes unsafe.Pointer, size uint32) uint32

//go:wasmimport taubyte/sdk getHttpEventHeadersSize
func headerSize(event uint32, size *uint32, name string) uint32

//go:wasmimport taubyte/sdk getHttpEventHeaders
func header(event uint32, name string, bytes unsafe.Pointer, size uint32) uint32

//go:wasmimport taubyte/sdk getHttpEventQueryValueByNameSize
func queryValueSize(event uint32, size *uint32, name string) uint32

//go:wasmimport taubyte/sdk getHttpEventQueryValueByName
func queryValue(event uint32, name string, bytes unsafe.Pointer, size uint32) uint32

//go:wasmimport taubyte/sdk readHttpEventBody
func readBody(event uint32, bytes unsafe.Pointer, size uint32, count *uint32) uint32

//go:wasmimport taubyte/sdk eventHttpHeaderAdd
func headerAdd(event uint32, name string, value string) uint32

//go:wasmimport taubyte/sdk eventHttpWrite
func write(event uint32, body string, count *uint32) uint32

//go:wasmimport taubyte/sdk eventHttpRetCode
func retCode(event uint32, code uint32) uint32
