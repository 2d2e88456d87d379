using Microsoft.Extensions.Options;
using NetAutomation;
using NetAutomation.Catalog;
using NetAutomation.Content;
using NetAutomation.Persistence;
using NetAutomation.Web;

var verb = args is [var first, ..] && !first.StartsWith('-') ? first : "serve";
var rest = verb == "serve" ? args : args[1..];
if (verb == "migrate")
{
    var configuration =
        WebApplication.CreateBuilder(new WebApplicationOptions { Args = rest, ContentRootPath = AppContext.BaseDirectory }).Configuration;
    var owner = configuration["Database:Owner"] ?? throw new InvalidOperationException("Database:Owner is needed by the migrate verb.");
    foreach (var name in await Migrations.Apply(owner, CancellationToken.None))
    {
        await Console.Out.WriteLineAsync($"applied {name}");
    }

    foreach (var role in await RolePasswords.Set(owner, configuration.GetSection("Database"), CancellationToken.None))
    {
        await Console.Out.WriteLineAsync($"set the password of {role}");
    }

    return 0;
}

await using var app = Service.Build(rest);
if (verb == "validate")
{
    app.Services.GetRequiredService<IStartupValidator>().Validate();
    if (await CatalogModule.Refusals(app.Services.GetRequiredService<IOptions<ContentOptions>>().Value) is { Count: > 0 } refusals)
    {
        await Console.Error.WriteLineAsync(string.Join('\n', refusals));
        return 2;
    }

    await Console.Out.WriteLineAsync("The configuration is valid.");
    return 0;
}

try
{
    await app.RunAsync();
    return 0;
}
catch (RefusedToStartException refused)
{
    await Console.Error.WriteLineAsync(refused.Message);
    return 2;
}
