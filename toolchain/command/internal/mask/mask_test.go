package mask

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

func TestOnlySecretTextsAreMaskedAtAnyDepth(t *testing.T) {
	m := Of(resource.PropertyMap{
		"open": resource.NewProperty("visible"),
		"environment": resource.NewProperty(resource.PropertyMap{
			"TOKEN": resource.MakeSecret(resource.NewProperty("s3cr3t")),
		}),
		"list": resource.MakeSecret(resource.NewProperty([]resource.PropertyValue{resource.NewProperty("within")})),
	}, "further")
	if got := m.Apply("visible s3cr3t within further"); got != "visible [secret] [secret] [secret]" {
		t.Fatal(got)
	}
}

func TestPartsOfASecretDocumentAreMaskedToo(t *testing.T) {
	m := Of(resource.PropertyMap{
		"stdin": resource.MakeSecret(resource.NewProperty("{\"password\": \"open sesame\"}\nsecond line here\n")),
	})
	for _, text := range []string{"sesame", "second line here"} {
		if got := m.Apply("got " + text + "!"); strings.Contains(got, text) {
			t.Error(got)
		}
	}
}

func TestNothingSecretChangesNothing(t *testing.T) {
	if got := Of(nil, "").Apply("as it was"); got != "as it was" {
		t.Fatal(got)
	}
}
