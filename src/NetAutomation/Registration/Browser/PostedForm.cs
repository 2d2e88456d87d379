namespace NetAutomation.Registration.Browser;

/// <summary>What a browser posts to the registration page. Anybody can reach it.</summary>
internal static class PostedForm
{
    /// <summary>Above the longest token with all that surrounds it.</summary>
    public const int LargestBody = 64 * 1024;

    /// <summary>Null where it is no form, or is one that no page of ours and none of Marketplace's makes.</summary>
    public static async Task<IFormCollection?> Read(HttpContext http, CancellationToken cancel)
    {
        if (!http.Request.HasFormContentType)
        {
            return null;
        }

        try
        {
            return await http.Request.ReadFormAsync(cancel);
        }
        catch (Exception fault) when (fault is InvalidDataException or BadHttpRequestException)
        {
            return null;
        }
    }
}
