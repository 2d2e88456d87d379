namespace NetAutomation.Registration.Browser;

/// <summary>Reads a form that a browser posts to the registration page, which anybody can reach.</summary>
internal static class PostedForm
{
    /// <summary>More than the longest token and the rest of its form need.</summary>
    public const int LargestBody = 64 * 1024;

    /// <summary>Null where the body is no form, or one that neither our page nor Marketplace's makes.</summary>
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
