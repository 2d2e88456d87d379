using NetAutomation.Persistence;
using Npgsql;

namespace NetAutomation.Connections;

/// <summary>Tells every process that bindings ended. Who has open connections looks every few seconds anyway.</summary>
internal sealed class BindingBell([FromKeyedServices("app")] NpgsqlDataSource database, TimeProvider time, ILogger<BindingBell> log)
    : Bell("na_bindings", database, time, log);
