using System.Text.Json;

namespace NetAutomation.Catalog.Schema;

/// <summary>A value of an input and the schema that describes it.</summary>
/// <param name="Pointer">Where the value is, below <c>/input</c>.</param>
internal readonly record struct Place(string Pointer, JsonElement Schema, JsonElement Value)
{
    /// <summary>Null where the schema gives the value no format.</summary>
    public string? Format => Schema.TryGetProperty("format", out var format) ? format.GetString() : null;

    /// <summary>The input itself and everything in it that its schema describes.</summary>
    public static IEnumerable<Place> All(JsonElement schema, JsonElement input) => new Place("/input", schema, input).Whole();

    /// <summary>The value of this member; null where it is absent or not described.</summary>
    public Place? Member(string name) =>
        Value.ValueKind == JsonValueKind.Object && Value.TryGetProperty(name, out var value)
            && Schema.TryGetProperty("properties", out var described) && described.TryGetProperty(name, out var schema)
                ? new Place($"{Pointer}/{name}", schema, value) : null;

    /// <summary>The values of a list.</summary>
    public IEnumerable<Place> Items()
    {
        var (at, schema) = (Pointer, Schema.TryGetProperty("items", out var items) ? items : default);
        return Value.ValueKind == JsonValueKind.Array && schema.ValueKind == JsonValueKind.Object
            ? Value.EnumerateArray().Select((value, index) => new Place($"{at}/{index}", schema, value)) : [];
    }

    private IEnumerable<Place> Whole()
    {
        var self = this;
        var below = Value.ValueKind == JsonValueKind.Object
            ? Value.EnumerateObject().Select(member => self.Member(member.Name)).OfType<Place>() : Items();
        return below.SelectMany(place => place.Whole()).Prepend(this);
    }
}
