using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace NetAutomation.Connector;

/// <summary>The state that join saves; the private key is a file of its own.</summary>
internal sealed record ConnectorState(
    string Connector, string Name, string Endpoint, int Port, string ServerName, string? Address, string CaPem)
{
    public static ConnectorState Load(string directory) =>
        JsonSerializer.Deserialize(File.ReadAllText(Path.Combine(directory, "connector.json")), ConnectorJson.Default.ConnectorState)
            ?? throw new JsonException("The state is null.");

    public void Save(string directory) =>
        StateFiles.Replace(Path.Combine(directory, "connector.json"), JsonSerializer.Serialize(this, ConnectorJson.Default.ConnectorState));

    public static ECDsa LoadKey(string directory)
    {
        var key = ECDsa.Create();
        key.ImportFromPem(File.ReadAllText(Path.Combine(directory, "key.pem")));
        return key;
    }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, RespectRequiredConstructorParameters = true,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(ConnectorState))]
[JsonSerializable(typeof(DoctorReport))]
internal sealed partial class ConnectorJson : JsonSerializerContext;
