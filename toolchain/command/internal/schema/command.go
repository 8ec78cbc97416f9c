package schema

// Tokens of the package's resources, functions and types, as the published SDKs use them.
const (
	LocalCommand    = "command:local:Command"
	LocalRun        = "command:local:run"
	RemoteCommand   = "command:remote:Command"
	CopyToRemote    = "command:remote:CopyToRemote"
	CopyFile        = "command:remote:CopyFile"
	Connection      = "command:remote:Connection"
	ProxyConnection = "command:remote:ProxyConnection"
	localLogging    = "command:local:Logging"
	remoteLogging   = "command:remote:Logging"
)

// Defaults of a connection, as published.
const (
	DefaultUser           = "root"
	DefaultPort           = 22
	DefaultDialErrorLimit = 10
	DefaultPerDialTimeout = 15
)

// Command is the package `command`, with every property of the published release 1.2.1.
func Command() Package {
	return Package{
		Objects:   []ObjectType{connection(), proxyConnection()},
		Enums:     []EnumType{logging(localLogging), logging(remoteLogging)},
		Resources: []Resource{localCommand(), remoteCommand(), copyToRemote(), copyFile()},
		Functions: []Function{localRun()},
	}
}

func logging(token string) EnumType {
	return EnumType{Token: token, Values: []EnumValue{
		{"stdout", "Show only standard output while the command runs"},
		{"stderr", "Show only standard error while the command runs"},
		{"stdoutAndStderr", "Show both streams while the command runs"},
		{"none", "Show nothing while the command runs"},
	}}
}

func localCommand() Resource {
	inputs := append(lifecycle(), localProcess()...)
	return Resource{
		Token:       LocalCommand,
		Description: "A command run on the machine where the engine runs, once per create, update and delete.",
		Inputs:      inputs,
		Results:     localResults(),
		Updatable:   true,
	}
}

func remoteCommand() Resource {
	inputs := append(lifecycle(), process(remoteLogging, "Variables sent to the remote command with the "+
		"SSH request `env`. The SSH server must allow each name (AcceptEnv in sshd_config), otherwise the "+
		"command is not run.")...)
	return Resource{
		Token:       RemoteCommand,
		Description: "A command run on another machine through SSH, once per create, update and delete.",
		Inputs:      append(inputs, connectionInput()),
		Results:     streams(),
		Updatable:   true,
	}
}

func copyToRemote() Resource {
	return Resource{
		Token:       CopyToRemote,
		Description: "A file, a text or a folder copied to another machine with SFTP. Nothing is removed there on delete.",
		Inputs: []Property{
			connectionInput(),
			{Name: "source", Type: plain(AssetOrArchive), Required: true, Description: "What to copy: a " +
				"FileAsset, a StringAsset, or a FileArchive. Archive files are copied as they are; folders " +
				"are copied with all that is in them, over files that exist."},
			{Name: "remotePath", Type: plain(String), Required: true, Description: "Where to copy to. Missing " +
				"parent folders are made. Into an existing folder, the source is copied under its own name."},
			triggers(true, "A change of any of these values replaces the resource: the copy is made again."),
		},
		Updatable: true,
	}
}

func copyFile() Resource {
	return Resource{
		Token:       CopyFile,
		Description: "A file copied to another machine with SFTP.",
		Deprecation: "CopyFile is deprecated, use CopyToRemote.",
		Inputs: []Property{
			connectionInput(),
			{Name: "localPath", Type: plain(String), Required: true, Description: "The file to copy."},
			{Name: "remotePath", Type: plain(String), Required: true, Description: "The file to write on the other machine."},
			triggers(false, "A change of any of these values replaces the resource: the copy is made again."),
		},
	}
}

func localRun() Function {
	command := Property{Name: "command", Type: plain(String), Required: true, Description: "The command to run."}
	return Function{
		Token:       LocalRun,
		Description: "Runs a command on the machine where the engine runs, every time, in previews too.",
		Inputs:      append([]Property{command}, localProcess()...),
		Results:     localResults(),
	}
}

// lifecycle is what both kinds of Command have in common: what to run when.
func lifecycle() []Property {
	return []Property{
		{Name: "create", Type: plain(String), Description: "The command to run when the resource is created, and " +
			"when an input has changed and `update` is not given."},
		{Name: "update", Type: plain(String), Description: "The command to run instead of `create` when an input has changed."},
		{Name: "delete", Type: plain(String), Description: "The command to run when the resource is deleted. It runs " +
			"with the inputs of the last successful create or update."},
		triggers(true, "A change of any of these values, of whatever type, replaces the resource."),
	}
}

func process(loggingToken, environment string) []Property {
	return []Property{
		{Name: "stdin", Type: plain(String), Description: "Text for the command's standard input."},
		{Name: "environment", Type: mapOf(plain(String)), Description: environment},
		{Name: "logging", Type: Type{Kind: Enum, Ref: loggingToken}, Description: "Which streams to show while the " +
			"command runs; both when not given. What is captured in the outputs does not depend on it."},
		{Name: "addPreviousOutputInEnv", Type: plain(Boolean), Description: "Whether the stdout and stderr of the " +
			"run before are in the command's environment as PULUMI_COMMAND_STDOUT and PULUMI_COMMAND_STDERR; " +
			"true when not given."},
	}
}

func localProcess() []Property {
	common := process(localLogging, "Variables added to the command's environment.")
	return append(common,
		Property{Name: "dir", Type: plain(String), Description: "The folder to run in; the program's when not given."},
		Property{Name: "interpreter", Type: listOf(plain(String)), Description: "The program and its arguments that " +
			"get the command as last argument: [\"/bin/sh\", \"-c\"] when not given, [\"cmd\", \"/C\"] on Windows."},
		Property{Name: "assetPaths", Type: listOf(plain(String)), Description: "Patterns of files to return in " +
			"`assets` after the run. `*` stays within a folder, `**` crosses folders, `!` in front excludes; " +
			"later patterns win. Paths are relative to `dir`, with `/` on every system."},
		Property{Name: "archivePaths", Type: listOf(plain(String)), Description: "Patterns, as in `assetPaths`, of " +
			"files to return in `archive` after the run."},
	)
}

func streams() []Property {
	return []Property{
		{Name: "stdout", Type: plain(String), Required: true, Description: "The last run's standard output, without its last newline."},
		{Name: "stderr", Type: plain(String), Required: true, Description: "The last run's standard error, without its last newline."},
	}
}

func localResults() []Property {
	return append(streams(),
		Property{Name: "assets", Type: mapOf(plain(AssetOrArchive)), OnlyWith: "assetPaths",
			Description: "The files that `assetPaths` matched, by their path relative to `dir`."},
		Property{Name: "archive", Type: plain(Archive), OnlyWith: "archivePaths",
			Description: "The files that `archivePaths` matched, as one archive."},
	)
}

func triggers(replaces bool, description string) Property {
	return Property{Name: "triggers", Type: listOf(plain(Any)), Replaces: replaces, Description: description}
}
