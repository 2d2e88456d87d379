using NetAutomation.Persistence;
using Npgsql;

namespace NetAutomation.Connections;

/// <summary>Tells every process that bindings ended. A process with open connections also looks every few seconds.</summary>
internal sealed class BindingBell([FromKeyedServices("app")] NpgsqlDataSource database, TimeProvider clock, ILogger<BindingBell> log)
    : Bell("na_bindings", database, clock, log);
