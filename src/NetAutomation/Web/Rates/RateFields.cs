using System.Globalization;

namespace NetAutomation.Web.Rates;

/// <summary>
/// The buckets that a request took from, told in the fields RateLimit-Policy and RateLimit of its answer
/// (draft-ietf-httpapi-ratelimit-headers-10): <c>q</c> tokens fit, <c>w</c> seconds fill an empty bucket, <c>r</c> are left, and it is full
/// in <c>t</c> seconds.
/// </summary>
internal sealed class RateFields
{
    private readonly List<(string Name, TokenBucket Bucket)> _buckets = new(4);

    private RateFields()
    {
    }

    public IReadOnlyList<(string Name, TokenBucket Bucket)> Buckets => _buckets;

    public static RateFields Of(HttpContext context)
    {
        if (context.Features.Get<RateFields>() is { } known)
        {
            return known;
        }

        var fields = new RateFields();
        context.Features.Set(fields);
        context.Response.OnStarting(() =>
        {
            fields.Write(context.Response.Headers);
            return Task.CompletedTask;
        });
        return fields;
    }

    /// <summary>The request took from the bucket, once or again.</summary>
    public void Add(string name, TokenBucket bucket)
    {
        if (!_buckets.Exists(each => each.Name == name))
        {
            _buckets.Add((name, bucket));
        }
    }

    /// <summary>It got back what it took.</summary>
    public void Remove(string name) => _buckets.RemoveAll(each => each.Name == name);

    private void Write(IHeaderDictionary headers)
    {
        headers["RateLimit-Policy"] = Join(
            (name, bucket) => string.Create(
                CultureInfo.InvariantCulture, $"\"{name}\";q={bucket.Rate.Burst};w={bucket.Rate.WindowSeconds}"));
        headers["RateLimit"] = Join((name, bucket) =>
        {
            var (left, full) = bucket.State;
            return string.Create(CultureInfo.InvariantCulture, $"\"{name}\";r={left};t={(long)Math.Ceiling(full.TotalSeconds)}");
        });
    }

    private string Join(Func<string, TokenBucket, string> item) => string.Join(", ", _buckets.Select(each => item(each.Name, each.Bucket)));
}
