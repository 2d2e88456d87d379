namespace NetAutomation.Aws.Wire;

/// <summary>The name of a member on the wire where the protocol's rule does not give it.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class WireNameAttribute(string name) : Attribute
{
    public string Name => name;
}
