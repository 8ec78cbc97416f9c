package server

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"

	"practicum/toolchain/command/internal/schema"
)

type props = resource.PropertyMap

func text(s string) resource.PropertyValue   { return resource.NewProperty(s) }
func hidden(s string) resource.PropertyValue { return resource.MakeSecret(text(s)) }
func list(items ...resource.PropertyValue) resource.PropertyValue {
	return resource.NewProperty(items)
}

func urn(token string) string {
	return "urn:pulumi:stack::project::" + token + "::thing"
}

func encode(t *testing.T, m props) *structpb.Struct {
	t.Helper()
	encoded, err := write(m)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func decode(t *testing.T, s *structpb.Struct) props {
	t.Helper()
	decoded, err := read(s)
	if err != nil {
		t.Fatal(err)
	}
	return decoded
}

func check(t *testing.T, token string, inputs props) (props, []*pulumirpc.CheckFailure) {
	t.Helper()
	response, err := New("1.2.1", nil).Check(t.Context(), &pulumirpc.CheckRequest{Urn: urn(token), News: encode(t, inputs)})
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, response.GetInputs()), response.GetFailures()
}

func diff(t *testing.T, token string, before, after props) *pulumirpc.DiffResponse {
	t.Helper()
	response, err := New("1.2.1", nil).Diff(t.Context(), &pulumirpc.DiffRequest{
		Urn: urn(token), OldInputs: encode(t, before), Olds: encode(t, before), News: encode(t, after),
	})
	if err != nil {
		t.Fatal(err)
	}
	return response
}

func create(t *testing.T, inputs props) (props, error) {
	t.Helper()
	response, err := New("1.2.1", nil).Create(t.Context(), &pulumirpc.CreateRequest{
		Urn: urn(schema.LocalCommand), Properties: encode(t, inputs),
	})
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(response.GetId(), "thing") {
		t.Fatalf("id %q", response.GetId())
	}
	return decode(t, response.GetProperties()), nil
}

func update(t *testing.T, state, inputs props, preview bool) (props, error) {
	t.Helper()
	response, err := New("1.2.1", nil).Update(t.Context(), &pulumirpc.UpdateRequest{
		Urn: urn(schema.LocalCommand), Olds: encode(t, state), News: encode(t, inputs), Preview: preview,
	})
	if err != nil {
		return nil, err
	}
	return decode(t, response.GetProperties()), nil
}

func TestCheckFillsInTheDefaultsOfAConnectionAndHidesIt(t *testing.T) {
	inputs, failures := check(t, schema.RemoteCommand, props{"connection": resource.NewProperty(props{
		"host": text("192.0.2.1"), "password": hidden("s3cr3t"),
		"proxy": resource.NewProperty(props{"host": text("192.0.2.2"), "port": resource.NewProperty(2222.0)}),
	})})
	expected := resource.MakeSecret(resource.NewProperty(props{
		"host": text("192.0.2.1"), "password": text("s3cr3t"), "user": text("root"),
		"port": resource.NewProperty(22.0), "dialErrorLimit": resource.NewProperty(10.0),
		"perDialTimeout": resource.NewProperty(15.0),
		"proxy": resource.NewProperty(props{
			"host": text("192.0.2.2"), "port": resource.NewProperty(2222.0), "user": text("root"),
			"dialErrorLimit": resource.NewProperty(10.0), "perDialTimeout": resource.NewProperty(15.0),
		}),
	}))
	if len(failures) != 0 || !inputs["connection"].DeepEquals(expected) {
		t.Fatalf("%v %v", inputs, failures)
	}
}

func TestCheckReportsEveryMistakeAndQuotesNoValue(t *testing.T) {
	for _, c := range []struct {
		token  string
		inputs props
		paths  string
	}{
		{schema.RemoteCommand, props{}, "connection"},
		{schema.RemoteCommand, props{"connection": resource.NewProperty(props{"private_key": hidden("s3cr3t")})}, "connection.host connection.private_key"},
		{schema.RemoteCommand, props{"connection": resource.NewProperty(props{"host": text(""), "port": resource.NewProperty(0.0)})}, "connection.host connection.port"},
		{schema.LocalCommand, props{"logging": hidden("s3cr3t"), "create": resource.NewProperty(1.0)}, "create logging"},
		{schema.LocalCommand, props{"environment": resource.NewProperty(props{"A": resource.NewProperty(1.0)})}, "environment.A"},
		{schema.LocalCommand, props{"interpreter": text("s3cr3t")}, "interpreter"},
		{schema.LocalCommand, props{"assetPaths": list(text("[a"))}, "assetPaths"},
		{schema.CopyToRemote, props{"connection": resource.NewProperty(props{"host": text("h")}), "source": text("s3cr3t")}, "remotePath source"},
	} {
		_, failures := check(t, c.token, c.inputs)
		var paths []string
		for _, f := range failures {
			paths = append(paths, f.GetProperty())
			if strings.Contains(f.GetReason(), "s3cr3t") {
				t.Error(f)
			}
		}
		if strings.Join(paths, " ") != c.paths {
			t.Errorf("%s: %v, not %s", c.token, failures, c.paths)
		}
	}
}

func TestCheckPassesUnknownValuesAndAnyTriggers(t *testing.T) {
	unknown := resource.MakeComputed(text(""))
	_, failures := check(t, schema.RemoteCommand, props{
		"connection": resource.NewProperty(props{"host": unknown, "port": unknown}), "create": unknown,
		"triggers": list(text("a"), resource.NewProperty(1.0), resource.NewProperty(props{"b": unknown})),
	})
	if len(failures) != 0 {
		t.Fatal(failures)
	}
}

func TestADiffIsAnUpdateUnlessTriggersChange(t *testing.T) {
	before := props{"create": text("a"), "triggers": list(text("1"))}
	for name, c := range map[string]struct {
		after    props
		changes  string
		replaces string
	}{
		"nothing":   {before, "", ""},
		"text":      {props{"create": text("b"), "triggers": list(text("1"))}, "create", ""},
		"trigger":   {props{"create": text("a"), "triggers": list(text("2"))}, "triggers", "triggers"},
		"more":      {props{"create": text("a"), "triggers": list(text("1"), text("2"))}, "triggers", "triggers"},
		"gone":      {props{"create": text("a")}, "triggers", "triggers"},
		"secret":    {props{"create": hidden("a"), "triggers": list(text("1"))}, "create", ""},
		"delete":    {props{"create": text("a"), "triggers": list(text("1")), "delete": text("d")}, "delete", ""},
		"unknown":   {props{"create": resource.MakeComputed(text("")), "triggers": list(text("1"))}, "create", ""},
		"unknowing": {props{"create": text("a"), "triggers": list(resource.MakeComputed(text("")))}, "triggers", "triggers"},
	} {
		response := diff(t, schema.LocalCommand, before, c.after)
		got := strings.Join(response.GetDiffs(), " ") + "/" + strings.Join(response.GetReplaces(), " ")
		if got != c.changes+"/"+c.replaces {
			t.Errorf("%s: %s", name, got)
		}
		if (response.GetChanges() == pulumirpc.DiffResponse_DIFF_NONE) != (c.changes == "") {
			t.Errorf("%s: %s", name, response.GetChanges())
		}
	}
}

func TestDefaultsThatAnOlderStateLacksAreNoDifference(t *testing.T) {
	before := props{"connection": hiddenConnection(props{"host": text("h"), "password": hidden("p")})}
	after, _ := check(t, schema.RemoteCommand, before)
	if response := diff(t, schema.RemoteCommand, before, after); len(response.GetDiffs()) != 0 {
		t.Fatal(response)
	}
}

func hiddenConnection(m props) resource.PropertyValue {
	return resource.MakeSecret(resource.NewProperty(m))
}

func TestEveryChangeOfACopyFileReplaces(t *testing.T) {
	before := props{"connection": hiddenConnection(props{"host": text("h")}), "localPath": text("a"), "remotePath": text("b")}
	after := before.Copy()
	after["localPath"] = text("c")
	if response := diff(t, schema.CopyFile, before, after); strings.Join(response.GetReplaces(), " ") != "localPath" {
		t.Fatal(response)
	}
}

func TestAPreviewRunsNothingAndKnowsNoResults(t *testing.T) {
	inputs := props{"create": text("touch " + t.TempDir() + "/ran; exit 1"), "assetPaths": list(text("*"))}
	response, err := New("1.2.1", nil).Create(t.Context(), &pulumirpc.CreateRequest{
		Urn: urn(schema.LocalCommand), Properties: encode(t, inputs), Preview: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	outputs := decode(t, response.GetProperties())
	for _, name := range []resource.PropertyKey{"stdout", "stderr", "assets"} {
		if !outputs[name].IsComputed() {
			t.Errorf("%s is %v", name, outputs[name])
		}
	}
	if _, there := outputs["archive"]; there || !outputs["create"].DeepEquals(inputs["create"]) {
		t.Error(outputs)
	}
	changed, err := update(t, props{"stdout": text("old")}, inputs, true)
	if err != nil || !changed["stdout"].IsComputed() {
		t.Error(changed, err)
	}
}

func TestAnUpdateFallsBackToCreateAndSeesThePreviousOutput(t *testing.T) {
	show := text(`echo "after:$PULUMI_COMMAND_STDOUT"`)
	first, err := create(t, props{"create": show})
	if err != nil || first["stdout"].StringValue() != "after:" {
		t.Fatal(first, err)
	}
	second, err := update(t, first, props{"create": show}, false)
	if err != nil || second["stdout"].StringValue() != "after:after:" {
		t.Fatal(second, err)
	}
	third, err := update(t, second, props{"create": show, "update": text(`echo "$PULUMI_COMMAND_STDOUT."`)}, false)
	if err != nil || third["stdout"].StringValue() != "after:after:." {
		t.Fatal(third, err)
	}
	without := props{"create": show, "addPreviousOutputInEnv": resource.NewProperty(false)}
	fourth, err := update(t, third, without, false)
	if err != nil || fourth["stdout"].StringValue() != "after:" {
		t.Fatal(fourth, err)
	}
	kept, err := update(t, fourth, props{"delete": text("true")}, false)
	if err != nil || kept["stdout"].StringValue() != "after:" {
		t.Fatal(kept, err)
	}
}

func TestResultsAreSecretWhenASecretReachesTheCommand(t *testing.T) {
	for name, inputs := range map[string]props{
		"stdin":       {"create": text("cat"), "stdin": hidden("s3cr3t")},
		"create":      {"create": hidden("echo s3cr3t")},
		"environment": {"create": text("echo $A"), "environment": resource.NewProperty(props{"A": hidden("s3cr3t")})},
	} {
		state, err := create(t, inputs)
		if err != nil || !state["stdout"].IsSecret() || !state["stderr"].IsSecret() {
			t.Errorf("%s: %v %v", name, state, err)
			continue
		}
		later, err := update(t, state, props{"create": text("echo $PULUMI_COMMAND_STDOUT")}, false)
		if err != nil || !later["stdout"].IsSecret() {
			t.Errorf("%s: handed on in the clear: %v %v", name, later, err)
		}
	}
	state, err := create(t, props{"create": text("echo plain"), "delete": hidden("rm s3cr3t")})
	if err != nil || state["stdout"].IsSecret() || !state["delete"].IsSecret() {
		t.Error(state, err)
	}
}

func TestAFailureQuotesTheOutputButNoSecret(t *testing.T) {
	_, err := create(t, props{"create": text("echo problem with $(cat) >&2; exit 3"), "stdin": hidden("s3cr3t")})
	if err == nil {
		t.Fatal("no failure")
	}
	for part, wanted := range map[string]bool{"exit status 3": true, "problem with [secret]": true, "s3cr3t": false} {
		if strings.Contains(err.Error(), part) != wanted {
			t.Error(err)
		}
	}
	_, err = create(t, props{"create": hidden("exit 1 # s3cr3t")})
	if err == nil || strings.Contains(err.Error(), "s3cr3t") || strings.Contains(err.Error(), "exit 1") {
		t.Error(err)
	}
}

func TestDeleteRunsWhatTheStateSays(t *testing.T) {
	mark := t.TempDir() + "/gone"
	_, err := New("1.2.1", nil).Delete(t.Context(), &pulumirpc.DeleteRequest{
		Urn: urn(schema.LocalCommand), Properties: encode(t, props{
			"delete": text(`printf %s "$PULUMI_COMMAND_STDOUT" > ` + mark), "stdout": text("was here"),
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	state, err := create(t, props{"create": text("cat " + mark)})
	if err != nil || state["stdout"].StringValue() != "was here" {
		t.Fatal(state, err)
	}
}

func TestCancelAndACustomTimeoutEndACommand(t *testing.T) {
	s := New("1.2.1", nil)
	request := &pulumirpc.CreateRequest{
		Urn: urn(schema.LocalCommand), Properties: encode(t, props{"create": text("sleep 60")}), Timeout: 0.2,
	}
	if _, err := s.Create(t.Context(), request); err == nil || !strings.Contains(err.Error(), "custom timeout of 200ms") {
		t.Fatal(err)
	}
	request.Timeout = 0
	ended := make(chan error, 1)
	go func() {
		_, err := s.Create(t.Context(), request)
		ended <- err
	}()
	if _, err := s.Cancel(t.Context(), &emptypb.Empty{}); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "cancelled") {
		t.Fatal(err)
	}
}

func TestTheFunctionRunsAndReportsMissingArguments(t *testing.T) {
	s := New("1.2.1", nil)
	response, err := s.Invoke(t.Context(), &pulumirpc.InvokeRequest{
		Tok: schema.LocalRun, Args: encode(t, props{"command": text("echo $A"), "environment": resource.NewProperty(props{"A": text("b")})}),
	})
	if err != nil || decode(t, response.GetReturn())["stdout"].StringValue() != "b" {
		t.Fatal(response, err)
	}
	response, err = s.Invoke(t.Context(), &pulumirpc.InvokeRequest{Tok: schema.LocalRun, Args: encode(t, props{})})
	if err != nil || len(response.GetFailures()) != 1 {
		t.Fatal(response, err)
	}
	if _, err := s.Invoke(t.Context(), &pulumirpc.InvokeRequest{Tok: "command:local:nothing"}); err == nil {
		t.Fatal("an unknown function")
	}
}

func TestReadAnswersWhatIsKnown(t *testing.T) {
	known := encode(t, props{"stdout": text("x")})
	response, err := New("1.2.1", nil).Read(t.Context(), &pulumirpc.ReadRequest{
		Id: "thing1", Urn: urn(schema.LocalCommand), Properties: known, Inputs: known,
	})
	if err != nil || response.GetId() != "thing1" || decode(t, response.GetInputs())["stdout"].StringValue() != "x" {
		t.Fatal(response, err)
	}
}
