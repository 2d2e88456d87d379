using System.Xml.Linq;
using NetAutomation.AwsSimulator.State;
using NetAutomation.AwsSimulator.Wire;

namespace NetAutomation.AwsSimulator.Ec2;

/// <summary>Forms shared by the EC2 operations (API version 2016-11-15).</summary>
internal static class Ec2Xml
{
    public static XElement Set(string name, IEnumerable<object> items) => new(name, items.Select(item => new XElement("item", item)));

    public static XElement Tags() => new("tagSet");

    public static string Time(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", System.Globalization.CultureInfo.InvariantCulture);

    public static XElement DnsEntries(VpcEndpoint endpoint) =>
        Set("dnsEntrySet", [new object[] { new XElement("dnsName", endpoint.DnsName), new XElement("hostedZoneId", "ZSIMULATED00") }]);

    public static XElement Unsuccessful(IEnumerable<(string Id, AwsException? Error)> results) =>
        Set("unsuccessful", results.Where(r => r.Error is not null).Select(r => new object[]
        {
            new XElement("error", new XElement("code", r.Error!.Code), new XElement("message", r.Error.Message)),
            new XElement("resourceId", r.Id),
        }));

    public static void StopIfDryRun(QueryForm form)
    {
        if (form.Flag("DryRun"))
        {
            throw new AwsException("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412);
        }
    }

    /// <summary>Filters AND together, the values of one filter OR, all case-sensitive.</summary>
    public static IEnumerable<T> Filter<T>(QueryForm form, IEnumerable<T> rows, IReadOnlyDictionary<string, Func<T, string, bool>> filters)
    {
        foreach (var i in form.Indexes("Filter"))
        {
            var name = form.Required($"Filter.{i}.Name");
            var values = form.List($"Filter.{i}.Value");
            if (!filters.TryGetValue(name, out var matches))
            {
                throw new AwsException("InvalidFilter", $"The filter '{name}' is invalid");
            }
            rows = rows.Where(row => values.Exists(value => matches(row, value)));
        }
        return rows;
    }

    public static XElement Paged<T>(QueryForm form, string set, IEnumerable<T> rows, Func<T, long> position, Func<T, object> item)
    {
        var size = form.Number("MaxResults") ?? 1000;
        if (size < 5)
        {
            throw new AwsException(
                "InvalidParameterValue", $"Value ( {size} ) for parameter maxResults is invalid. Expecting a value greater than 5.");
        }
        var (items, next) = Page.Cut(rows, position, Math.Min(size, 1000), form["NextToken"], "InvalidNextToken");
        return new XElement("result", Set(set, items.Select(item)), next is null ? null : new XElement("nextToken", next));
    }
}
