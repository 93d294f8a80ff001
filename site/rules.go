package site

// rules in the order of the document they come from.
var rules = []rule{
	{"DOC-05", "required fields are set", "this document's format", checkRequired},
	{"PAR-30", "1 or 3 control planes", "Parameters", checkControlPlanes},
}
