using NetAutomation.Persistence;
using NetAutomation.Platform;

var verb = args is [var first, ..] && !first.StartsWith('-') ? first : "serve";
var builder = WebApplication.CreateBuilder(new WebApplicationOptions { Args = verb == "serve" ? args : args[1..], ContentRootPath = AppContext.BaseDirectory });
if (verb == "migrate")
{
    var owner = builder.Configuration["Database:Owner"] ?? throw new InvalidOperationException("Database:Owner is needed by the migrate verb.");
    foreach (var name in await Migrations.Apply(owner, CancellationToken.None))
    {
        await Console.Out.WriteLineAsync($"applied {name}");
    }

    return 0;
}

builder.AddPlatform();
builder.AddPersistence();

var app = builder.Build();
app.UsePlatform();
app.MapApi();

if (verb == "validate")
{
    await Console.Out.WriteLineAsync("The configuration is valid.");
    return 0;
}

await app.RunAsync();
return 0;

/// <summary>Entry point, named so that tests can host the service.</summary>
internal sealed partial class Program;
