using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Catalog.Model;
using NetAutomation.Catalog.Publish;
using NetAutomation.Content;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Catalog.Operators;

/// <summary>A block version that was published.</summary>
/// <param name="Block">Slug of the block.</param>
/// <param name="Version">The version.</param>
/// <param name="Digest">SHA-256 over its files, as <c>netautomation blocks pack</c> prints it.</param>
/// <param name="State"><c>published</c>, or what became of the version since it was.</param>
public sealed record PublishedVersionView(string Block, string Version, string Digest, string State);

internal static class PublishVersion
{
    /// <summary>
    /// Publishes a block's folder, packed, as a version beside those that are there, with its prices where it is the newest. The same
    /// archive a second time changes nothing.
    /// </summary>
    public static async Task<Results<Ok<PublishedVersionView>, Problem>> Handle(
        string block, HttpRequest request, SystemDb db, OperatorCaller caller, CancellationToken cancel)
    {
        try
        {
            var content = await ContentArchive.Read(block, request.Body, cancel);
            var known = await State(db, content.Digest, cancel);
            var folder = await BlockPublisher.Publish(db, content, cancel);
            var (slug, version) = (folder.Manifest.Slug, folder.Manifest.Version);
            if (known is null)
            {
                await new AuditLog(db).Append(
                    caller, TenantId.None, "block_version.published", $"{slug}/{version}", new { block, version, content.Digest }, cancel);
            }

            return TypedResults.Ok(
                new PublishedVersionView(slug, version, content.Digest, known ?? Wire.Name(VersionState.Published)));
        }
        catch (ContentException refused)
        {
            return Problems.InvalidBlock.With(refused.Message);
        }
    }

    private static Task<string?> State(SystemDb db, string digest, CancellationToken cancel) =>
        db.Scalar<string>($"select state from catalog.block_version where digest = {digest}", cancel);
}
