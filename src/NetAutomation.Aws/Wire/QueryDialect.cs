namespace NetAutomation.Aws.Wire;

/// <summary>
/// What differs between the EC2 query protocol and the AWS query protocol
/// (Smithy, "AWS EC2 query protocol" and "AWS query protocol").
/// </summary>
internal sealed record QueryDialect(string ServiceName, string Version, string ListInfix, string ListItem, bool CamelCase, bool ResultElement)
{
    public static QueryDialect Ec2 { get; } = new("Amazon.EC2", "2016-11-15", ListInfix: "", "item", CamelCase: true, ResultElement: false);

    public static QueryDialect Elb { get; } =
        new("Amazon.ElasticLoadBalancingV2", "2015-12-01", ListInfix: ".member", "member", CamelCase: false, ResultElement: true);

    public string ElementOf(Shape.Member member) =>
        member.WireName ?? (CamelCase ? char.ToLowerInvariant(member.Property.Name[0]) + member.Property.Name[1..] : member.Property.Name);
}
