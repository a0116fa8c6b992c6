module statistics

go 1.24

require hello v0.0.0

// The package taubyte, which `headgate new --template go` gives its users, is theirs.
replace hello => ../../../gateway/templates/go/functions/hello
