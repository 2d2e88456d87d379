using Amazon.CDK;
using NetAutomation.Deploy;

if (args is not [var directory, _, ..])
{
    await Console.Error.WriteLineAsync("usage: NetAutomation.Deploy DIR CELL...");
    return 2;
}

var app = new App(new AppProps { Outdir = directory, AnalyticsReporting = false, TreeMetadata = false });
foreach (var cell in args[1..])
{
    Installation.Define(app, cell);
}

app.Synth();
return 0;
