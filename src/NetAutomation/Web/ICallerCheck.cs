namespace NetAutomation.Web;

/// <summary>Proves the caller of a long answer again; Edge implements it.</summary>
internal interface ICallerCheck
{
    Task<bool> StillValid(HttpContext context);
}
